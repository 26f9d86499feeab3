"""Loading a model from its folder and calling it; known to gates, pipelines and serving."""
