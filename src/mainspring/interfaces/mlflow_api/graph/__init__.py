"""What MLflow's pages may ask in GraphQL; loaded when the first of them asks."""
