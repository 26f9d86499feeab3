"""PyTorch: a loop of one's own, and Lightning, which logs itself."""

from __future__ import annotations

import lightning
import mlflow
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 3
ROWS = torch.linspace(-1, 1, 64).reshape(-1, 1)
DATA = DataLoader(TensorDataset(ROWS, 2 * ROWS), batch_size=16)
torch.set_num_threads(1)


class Line(lightning.LightningModule):
    """A straight line."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """What the line says."""
        return self.line(rows)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """How far the line is from what is so."""
        rows, wanted = batch
        loss = nn.functional.mse_loss(self(rows), wanted)
        self.log("loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_loop_of_ones_own(client: mlflow.MlflowClient, experiment: str) -> None:
    model = nn.Linear(1, 1)
    descent = torch.optim.SGD(model.parameters(), lr=0.1)
    with mlflow.start_run() as run:
        for step, (rows, wanted) in enumerate(DATA):
            loss = nn.functional.mse_loss(model(rows), wanted)
            descent.zero_grad()
            loss.backward()
            descent.step()
            mlflow.log_metric("loss", loss.item(), step=step)
        logged = mlflow.pytorch.log_model(
            model,
            name="line",
            pip_requirements=["torch"],
            input_example=ROWS.numpy()[:2],
            registered_model_name="line",
        )

    assert len(client.get_metric_history(run.info.run_id, "loss")) == len(DATA)
    expected = model(ROWS).detach().numpy()
    assert np.allclose(mlflow.pytorch.load_model(logged.model_uri)(ROWS).detach(), expected)
    loaded = mlflow.pyfunc.load_model("models:/line/1")
    assert np.allclose(loaded.predict(ROWS.numpy()), expected)


def test_lightning_logs_itself(client: mlflow.MlflowClient, experiment: str) -> None:
    mlflow.pytorch.autolog(log_models=True, checkpoint=False)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with mlflow.start_run() as run:
        trainer.fit(Line(), DATA)
    mlflow.pytorch.autolog(disable=True)
    found = client.get_run(run.info.run_id)

    assert found.data.params["optimizer_name"] == "SGD"
    losses = client.get_metric_history(run.info.run_id, "loss_epoch")
    assert len(losses) == EPOCHS
    assert losses[-1].value < losses[0].value
    model = mlflow.pytorch.load_model(f"models:/{found.outputs.model_outputs[0].model_id}")
    assert model(ROWS).shape == ROWS.shape
