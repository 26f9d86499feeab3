"""The Python SDK: runs, versions, promotions, deployments in a script's own words."""
