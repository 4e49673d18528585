"""The account of a SageMaker that is not AWS's, which its ARNs carry."""

LOCAL_ACCOUNT = "000000000000"
"""No real account has this number, so nobody mistakes a local ARN for one of AWS."""
