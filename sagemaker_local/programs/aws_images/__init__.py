"""The programs, by image.

xgboost_training         trains: XGBoost as a built-in algorithm
xgboost_hyperparameters  its hyperparameters and their checks
xgboost_datasets         its channels: CSV, libsvm, Parquet
xgboost_metrics          its metrics' names and where they stand in the log
xgboost_serving          serves what it has trained
xgboost_defaults         what serves where a script leaves functions out
scikit_learn_defaults    the same for the scikit-learn image
encodings                request bodies to rows, answers to bodies
"""
