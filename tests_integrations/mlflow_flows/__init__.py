"""What an MLflow client does, as tests which run in the environment that has MLflow.

`test_mlflow_clients.py` runs each file with pytest in that environment and hands it the server's
address; the client is told nothing but `mlflow.set_tracking_uri`.
"""
