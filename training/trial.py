"""The training program as AWS's image starts it: one training job of a tuning job.

A tuning job cannot give its training jobs an entry point (`CreateHyperParameterTuningJob` has no
`ContainerEntrypoint`), so they run in the image's script mode: its toolkit copies the channel ``code`` to
/opt/ml/code, installs it by pip, for which `code_wheel` needs no network, and runs this module with the
hyperparameters as arguments and the job's folders as ``SM_*`` variables. Only the folder is taken from there;
`train` reads the hyperparameters' file, as it does everywhere.
"""

from __future__ import annotations

import os
from pathlib import Path

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas", "sklearn")  # before XGBoost is imported
    keep_out_parts_of_numpy()

from process_exit import run_and_exit
from train import main

if __name__ == "__main__":
    run_and_exit(lambda: main(["--opt-ml", str(Path(os.environ["SM_MODEL_DIR"]).parent)]))
