"""The package, its pins and the `gatehouse` command.

The first group of pins is what the training image `sagemaker-xgboost:3.2-0` holds: a model written
here loads there because both sides run the same libraries. Raise them together with the image.
`constraints.txt` pins everything below them, so that two installations of one commit are the same.
"""

from setuptools import find_packages, setup

IMAGE = [  # the versions inside sagemaker-xgboost:3.2-0 (aws_formats/xgboost_images.py)
    "xgboost==3.2.0",
    "scikit-learn==1.8.0",
    "pandas==2.2.3",
    "numpy==2.1.0",
    "scipy==1.15.0",
    "pyarrow==22.0.0",
]

AWS = [  # what the project and the local SageMaker both need
    "boto3==1.44.5",  # every call to AWS, real or local, and the descriptions of its services
    "regex>=2024.11",  # patterns of those descriptions: Python's own re lacks their \\p{L}
    "PyYAML>=6",  # CloudFormation templates
    "tzdata>=2024.1",  # time zones of schedules, the same on every machine
]

LOCAL = [  # what only the local SageMaker needs
    "uvicorn>=0.30",  # serves its ASGI app
    "httptools>=0.6",  # uvicorn's C parser: several times faster on large S3 bodies than h11
    "cryptography>=43",  # certificates of the proxy that stands in for AWS's hosts
    "anycrc>=2.1",  # CRC32C and CRC64/NVME, which S3's clients send and Python does not have
]

PROJECT = [
    "sagemaker==3.27.0",  # compiles the pipeline's definition
    "pydantic>=2.7",  # strict settings with errors that name file and key
    "click>=8.1",  # the command line
    "rich>=13",  # tables and live progress for people
    "starlette>=0.40",  # the pages' addresses and forms
    "Jinja2>=3.1",  # the pages' HTML, escaped
]

DEVELOPMENT = [
    "pytest>=8",
    "pytest-xdist>=3.6",  # two cores, half the time
    "hypothesis>=6.100",  # properties: split, cron, keys, definition language
    "markdown-it-py>=3",  # reads the Markdown that is written here
    "ruff>=0.9",  # lint and format
    "mypy>=1.14",  # types
    "import-linter>=2.1",  # what each package may import, checked
    "cfn-lint>=1.58",  # checks the CloudFormation templates against AWS's own resource schemas
    "awscli>=1.46",  # an unmodified client for the wire tests
    "moto[server]>=5.2",  # the benchmark's rival S3 server
    "playwright>=1.60",  # drives a Chromium that is there already; it downloads none
]

setup(
    name="gatehouse",
    version="0.1.0",
    description="A SageMaker pipeline with a gate, and a SageMaker on this machine to run it on",
    python_requires=">=3.11",
    # The three container folders are packaged as they stand: bundles are made from their files.
    packages=[
        *find_packages(include=["automation*", "pipelines*", "registry*", "studio*"]),
        *find_packages(include=["sagemaker_local*", "aws_formats*"]),
        "processing",
        "training",
        "evaluation",
    ],
    # Said though it is the default: an editable installation is then a path, and no finder, which would take
    # 25 ms of each Python's start.
    package_dir={"": "."},
    package_data={
        "automation": ["templates/*.yaml"],
        "pipelines": ["upsert/*.toml"],
        "studio": ["templates/*.html", "static/*", "static/vendor/*"],
        "training": ["pyproject.toml"],
        "sagemaker_local": ["jobs/image_environments.toml", "programs/model_monitor/*.py"],
    },
    install_requires=IMAGE + AWS + LOCAL + PROJECT,
    # `gatehouse run` uses the local SageMaker, so the base has it all; `local` names what it needs alone.
    extras_require={"local": [*AWS, *LOCAL], "dev": DEVELOPMENT},
    entry_points={"console_scripts": ["gatehouse = pipelines.__main__:program"]},
)
