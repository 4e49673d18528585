"""What AWS's images do by themselves: programs for the interpreter of a job or of a model server.

They import what the image holds (XGBoost, pandas) and never anything of the local SageMaker, which runs them
as processes and imports none of them but ``xgboost_metrics``, a list of names. The interpreter finds the
package ``aws_images`` in this folder, so its modules import each other relatively. ``model_monitor`` is a
folder that runs as a script, since it shares files with the programs of the repository's containers.
"""

from pathlib import Path

PROGRAMS = Path(__file__).parent
"""The folder to run ``python -m aws_images...`` in."""
