"""PyTorch's loops as they are found in the wild: recorded, and computing the same as without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.adapters.frameworks.torch import PyTorch
from mainspring.testing.framework import Expected, FrameworkContract
from tests.frameworks.bench import SCRIPTS, Bench

HEAD = """
import torch
from sklearn.datasets import load_diabetes
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

torch.manual_seed(11)
X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1) / 100
data = TensorDataset(X, y.squeeze(1))

def net(width=8):
    return nn.Sequential(nn.Linear(10, width), nn.Tanh(), nn.Linear(width, 1))

def show(*models):
    for model in models:
        for name, one in model.state_dict().items():
            print(name, one.flatten().tolist())
"""
LOOP = """
def learn(model, optimizer, epochs=2, loss=functional.mse_loss):
    for _ in range(epochs):
        for a, b in DataLoader(data, batch_size=40, shuffle=True):
            optimizer.zero_grad()
            loss(model(a).squeeze(1), b).backward()
            optimizer.step()
"""


class TestPyTorch(FrameworkContract):
    framework = PyTorch()
    script = SCRIPTS / "torch_digits.py"
    expected = Expected(
        params={"optimizer", "optimizer.lr", "loss", "batch_size", "model.parameters", "scheduler"},
        metrics={"lr", "steps", "training/seconds"},
        series={"loss": 96, "epoch/loss": 4, "val/loss": 4, "val/accuracy": 4},
        rows=1500,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.close()


def _same(bench: Bench, script: str) -> None:
    """It prints the same, to the last bit of each weight."""
    assert bench.printed(script) == bench.plain(script) != ""


def test_the_loss_of_each_step_is_the_one_that_the_loop_sees(bench: Bench) -> None:
    script = HEAD + (
        "model = net()\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
        "for _ in range(25):\n"
        "    loss = functional.mse_loss(model(X), y)\n"
        "    optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
        "    print(loss.item())\n"
        "    loss *= 0\n"
    )
    seen = [float(line) for line in bench.printed(script).split()]

    [found] = bench.runs()
    assert found.points("loss") == dict(enumerate(seen))
    assert found.params["optimizer.momentum"] == "0.9"
    assert found.params["loss"] == "MseLoss"


def test_a_loop_without_batches_is_linked_to_all_its_rows(bench: Bench) -> None:
    script = HEAD + (
        "model = net(); criterion = nn.MSELoss()\n"
        "optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)\n"
        "def again():\n"
        "    optimizer.zero_grad(); loss = criterion(model(X), y); loss.backward(); return loss\n"
        "for _ in range(5):\n"
        "    print(optimizer.step(again).item())\n"
        "show(model)\n"
    )
    _same(bench, script)

    [found] = bench.runs()
    assert [(one.name, one.role, one.rows) for one in found.run.datasets] == [
        ("training", "training", 442)
    ]
    assert len(found.model.signature.inputs) == 10
    assert (found.model.task, len(found.points("loss"))) == ("regression", 5)


def test_gradients_that_are_accumulated_make_one_step(bench: Bench) -> None:
    script = HEAD + (
        "model = net(); optimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        "for place, (a, b) in enumerate(DataLoader(data, batch_size=50, drop_last=True)):\n"
        "    (functional.mse_loss(model(a).squeeze(1), b) / 4).backward()\n"
        "    if place % 4 == 3:\n"
        "        optimizer.step(); optimizer.zero_grad()\n"
        "show(model)\n"
    )
    _same(bench, script)

    [found] = bench.runs()
    assert list(found.points("loss")) == [0, 1]
    assert 1 < found.points("loss")[0] < 10


def test_two_optimizers_of_one_loop_have_a_loss_each(bench: Bench) -> None:
    script = HEAD + (
        "class Generator(nn.Sequential): pass\n"
        "class Discriminator(nn.Sequential): pass\n"
        "G = Generator(nn.Linear(4, 10)); D = Discriminator(nn.Linear(10, 1))\n"
        "of_d = torch.optim.Adam(D.parameters(), lr=0.01)\n"
        "of_g = torch.optim.Adam(G.parameters(), lr=0.02)\n"
        "ask = nn.BCEWithLogitsLoss()\n"
        "for (real,) in DataLoader(TensorDataset(X), batch_size=20):\n"
        "    of_d.zero_grad(); made = G(torch.randn(len(real), 4))\n"
        "    ask(D(real), torch.ones(len(real), 1)).backward()\n"
        "    ask(D(made.detach()), torch.zeros(len(real), 1)).backward()\n"
        "    of_d.step(); of_g.zero_grad()\n"
        "    ask(D(made), torch.ones(len(real), 1)).backward(); of_g.step()\n"
        "show(G, D)\n"
    )
    _same(bench, script)

    [found] = bench.runs()
    assert len(found.points("loss/Discriminator")) == len(found.points("loss/Generator")) == 23
    assert found.points("loss/Discriminator")[0] > 1.2  # the sum of both of its losses
    assert found.params["optimizer_2.lr"] == "0.02"
    assert {one.name for one in found.run.models} == {"model_Discriminator", "model_Generator"}


def test_one_training_after_another_is_another_run(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "for width in (4, 6):\n"
            "    model = net(width)\n"
            "    learn(model, torch.optim.AdamW(model.parameters(), lr=0.01))\n"
        )
    )
    found = bench.followed(script)

    assert [one.run.status for one in found] == ["finished", "finished"]
    assert [one.params["model.parameters"] for one in found] == ["49", "73"]
    assert [one.metrics["epoch"] for one in found] == [2, 2]
    assert all(one.model.digest for one in found)


def test_trainings_of_one_run_have_names_of_their_own(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "import mainspring\n"
            "with mainspring.run('both'):\n"
            "    for width in (4, 6):\n"
            "        model = net(width)\n"
            "        learn(model, torch.optim.AdamW(model.parameters(), lr=0.01))\n"
        )
    )
    [found] = bench.followed(script)

    assert found.params["model.parameters"] == "49"
    assert found.params["Sequential_2.model.parameters"] == "73"
    assert len(found.run.models) == 2


def test_a_model_that_goes_on_with_another_optimizer_is_one_training(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "model = net()\n"
            "learn(model, torch.optim.Adam(model.parameters(), lr=0.01))\n"
            "learn(model, torch.optim.SGD(model.parameters(), lr=0.001))\n"
        )
    )
    [found] = bench.followed(script)

    assert (found.params["optimizer"], found.params["optimizer_2"]) == ("Adam", "SGD")
    assert len(found.run.models) == 1


def test_a_scaled_loss_is_told_as_it_was(bench: Bench) -> None:
    script = HEAD + (
        "model = net(); optimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        "scaler = torch.amp.GradScaler('cpu', init_scale=1024.0)\n"
        "for _ in range(12):\n"
        "    optimizer.zero_grad()\n"
        "    with torch.autocast('cpu', dtype=torch.bfloat16):\n"
        "        loss = functional.mse_loss(model(X).float(), y)\n"
        "    scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()\n"
        "show(model)\n"
    )
    _same(bench, script)

    [found] = bench.runs()
    assert max(found.points("loss").values()) < 10
    assert found.params["grad_scaler"] == "True"


def test_phases_that_share_a_loop_are_told_apart(bench: Bench) -> None:
    script = HEAD + (
        "model = net(); optimizer = torch.optim.Adam(model.parameters(), lr=0.01)\n"
        "criterion = nn.MSELoss()\n"
        "train, val = torch.utils.data.random_split(data, [342, 100])\n"
        "loaders = {'train': DataLoader(train, batch_size=38), 'val': DataLoader(val, batch_size=50)}\n"
        "for _ in range(3):\n"
        "    for phase in ('train', 'val'):\n"
        "        model.train(phase == 'train')\n"
        "        for a, b in loaders[phase]:\n"
        "            optimizer.zero_grad()\n"
        "            with torch.set_grad_enabled(phase == 'train'):\n"
        "                loss = criterion(model(a).squeeze(1), b)\n"
        "                if phase == 'train':\n"
        "                    loss.backward(); optimizer.step()\n"
        "show(model)\n"
    )
    _same(bench, script)

    [found] = bench.runs()
    assert found.datasets == {"train": "training", "val": "validation"}
    assert list(found.points("val/loss")) == list(found.points("epoch/loss")) == [8, 17, 26]


def test_an_evaluation_in_the_middle_of_an_epoch_belongs_to_its_step(bench: Bench) -> None:
    script = HEAD + (
        "model = net(); optimizer = torch.optim.Adam(model.parameters(), lr=0.01)\n"
        "criterion = nn.MSELoss()\n"
        "test_loader = DataLoader(TensorDataset(X[:40], y[:40]), batch_size=20)\n"
        "for step, (a, b) in enumerate(DataLoader(data, batch_size=40)):\n"
        "    optimizer.zero_grad(); criterion(model(a).squeeze(1), b).backward(); optimizer.step()\n"
        "    if step % 4 == 3:\n"
        "        model.eval()\n"
        "        with torch.no_grad():\n"
        "            means = [criterion(model(a), b).item() for a, b in test_loader]\n"
        "        print(sum(means) / 2)\n"
        "        model.train()\n"
    )
    seen = [float(line) for line in bench.printed(script).split()]

    [found] = bench.runs()
    assert found.points("test/loss") == pytest.approx(dict(zip((3, 7, 11), seen, strict=True)))
    assert found.datasets["test"] == "evaluation"
    assert found.metrics["epoch"] == 1


def test_items_that_code_makes_are_linked_by_what_they_are_made_of(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "import numpy\n"
            "class Noisy(Dataset):\n"
            "    def __init__(self, rows, labels, transform=None):\n"
            "        self.rows, self.labels, self.transform = rows, labels, transform\n"
            "    def __len__(self): return len(self.rows)\n"
            "    def __getitem__(self, place):\n"
            "        return torch.tensor(self.rows[place]) + torch.randn(10) / 100, self.labels[place]\n"
            "data = Noisy(X.numpy(), y.squeeze(1).numpy(), transform=numpy.tanh)\n"
            "model = net(); learn(model, torch.optim.Adam(model.parameters()))\n"
            "show(model)\n"
        )
    )
    _same(bench, script)

    [found] = bench.runs()
    [linked] = found.run.datasets
    assert (linked.rows, len(linked.columns)) == (442, 11)
    assert found.params["data.training.class"] == "Noisy"
    assert "tanh" in found.params["data.training.transform"]


def test_data_that_nobody_can_read_whole_are_described_and_not_digested(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "class Stream(torch.utils.data.IterableDataset):\n"
            "    def __iter__(self):\n"
            "        yield from zip(X, y.squeeze(1))\n"
            "model = net(); optimizer = torch.optim.Adam(model.parameters())\n"
            "for a, b in DataLoader(Stream(), batch_size=64):\n"
            "    optimizer.zero_grad(); functional.mse_loss(model(a).squeeze(1), b).backward()\n"
            "    optimizer.step()\n"
            "show(model)\n"
        )
    )
    _same(bench, script)

    [found] = bench.runs()
    assert not found.run.datasets
    assert found.params["data.training.class"] == "Stream"
    assert found.model.signature.inputs


def test_pictures_are_linked_and_a_few_of_them_kept_as_a_sample(bench: Bench) -> None:
    script = HEAD + (
        "from sklearn.datasets import load_digits\n"
        "digits = load_digits()\n"
        "pictures = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)\n"
        "model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 10))\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.01); criterion = nn.CrossEntropyLoss()\n"
        "data = TensorDataset(pictures, torch.tensor(digits.target))\n"
        "for a, b in DataLoader(data, batch_size=300, num_workers=1):\n"
        "    optimizer.zero_grad(); criterion(model(a), b).backward(); optimizer.step()\n"
        "show(model)\n"
    )
    _same(bench, script)

    [found] = bench.runs()
    assert [(one.rows, len(one.columns)) for one in found.run.datasets] == [(1797, 2)]
    assert "sample.json" in {file.path for file in found.model.files}
    assert len(found.model.signature.outputs) == 10
    assert found.params["workers"] == "1"


def test_a_compiled_model_is_kept_as_the_one_that_was_compiled(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "model = net(); fast = torch.compile(model, backend='eager')\n"
            "learn(fast, torch.optim.Adam(fast.parameters(), lr=0.01))\n"
            "show(model)\n"
            "print(torch._dynamo.utils.counters['stats'])\n"
        )
    )
    _same(bench, script)

    [found] = bench.runs()
    assert found.params["model"] == "Sequential"
    assert len(found.points("loss")) == 24


def test_a_step_that_is_compiled_computes_the_same(bench: Bench) -> None:
    script = HEAD + (
        "model = net(); optimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        "criterion = nn.MSELoss()\n"
        "@torch.compile(backend='eager')\n"
        "def forward(a, b): return criterion(model(a), b)\n"
        "@torch.compile(backend='eager')\n"
        "def step(): optimizer.step()\n"
        "for _ in range(6):\n"
        "    optimizer.zero_grad(); forward(X, y).backward(); step()\n"
        "show(model)\n"
    )
    _same(bench, script)


def test_a_parallel_model_is_kept_without_its_wrapper(bench: Bench) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "model = nn.DataParallel(net())\n"
            "learn(model, torch.optim.Adam(model.parameters(), lr=0.01))\n"
            "show(model)\n"
        )
    )
    _same(bench, script)

    [found] = bench.runs()
    assert found.model.params["class"].endswith("Sequential")


def test_of_processes_that_train_together_the_first_one_tells(bench: Bench) -> None:
    script = """
import sys, torch
import torch.multiprocessing as together
from torch import nn
from torch.nn.parallel import DistributedDataParallel

def work(rank, store):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    torch.manual_seed(1)
    model = DistributedDataParallel(nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(10):
        optimizer.zero_grad()
        model(torch.full((4, 3), float(rank + step))).mean().backward()
        optimizer.step()
    torch.distributed.destroy_process_group()

if __name__ == "__main__":
    import mainspring
    with mainspring.run("together"):
        contexts = [together.get_context("fork").Process(target=work, args=(rank, sys.argv[0] + ".store"))
                    for rank in (0, 1)]
        for one in contexts: one.start()
        for one in contexts: one.join()
        assert [one.exitcode for one in contexts] == [0, 0]
"""
    [found] = bench.followed(script)

    assert len(found.points("loss")) == 10
    assert [one.count for one in found.run.metrics if one.key == "loss"] == [10]
    assert found.model.params["class"].endswith("Linear")


def test_weights_that_are_shared_are_kept_under_each_name(bench: Bench, tmp_path: Path) -> None:
    script = (
        HEAD
        + LOOP
        + (
            "class Tied(nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.inner = nn.Linear(10, 10); self.outer = nn.Linear(10, 10)\n"
            "        self.outer.weight = self.inner.weight\n"
            "    def forward(self, a): return self.outer(torch.tanh(self.inner(a))).sum(1, keepdim=True)\n"
            "model = Tied(); learn(model, torch.optim.Adam(model.parameters(), lr=0.01))\n"
            "torch.save(model.state_dict(), 'wanted.pt')\n"
        )
    )
    [found] = bench.followed(script)
    folder = found.unpacked(tmp_path / "model")
    check = (
        "import torch; from safetensors.torch import load_file\n"
        f"found = load_file({str(folder / 'model.safetensors')!r})\n"
        f"wanted = torch.load({str(tmp_path / 'wanted.pt')!r})\n"
        "print(sorted(found) == sorted(wanted), all(torch.equal(found[n], wanted[n]) for n in wanted))\n"
    )
    assert bench.plain(check) == "True True\n"


def test_without_safetensors_weights_are_what_torch_load_takes(
    bench: Bench, tmp_path: Path
) -> None:
    script = (
        "import sys; sys.modules['safetensors'] = None\n"
        + HEAD
        + LOOP
        + ("model = net(); learn(model, torch.optim.Adam(model.parameters(), lr=0.01))\n")
    )
    [found] = bench.followed(script)
    path = found.unpacked(tmp_path / "model") / "model.pt"

    check = f"import torch; print(len(torch.load({str(path)!r}, weights_only=True)))\n"
    assert bench.plain(check) == "4\n"


def test_graphs_and_batches_are_let_go_of(bench: Bench) -> None:
    script = HEAD + (
        "import weakref\n"
        "model = net(); optimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        "held = []\n"
        "for _ in range(3):\n"
        "    for a, b in DataLoader(data, batch_size=40):\n"
        "        output = model(a)\n"
        "        loss = functional.mse_loss(output.squeeze(1), b)\n"
        "        optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
        "        held += [weakref.ref(one) for one in (a, output, loss)]\n"
        "del a, b, output, loss\n"
        "print(sum(one() is not None for one in held))\n"
    )
    assert bench.printed(script) == "0\n"


def test_inference_alone_opens_no_run(bench: Bench) -> None:
    script = HEAD + (
        "model = net().eval()\n"
        "with torch.inference_mode():\n"
        "    print(sum(model(a).sum().item() for a, _ in DataLoader(data, batch_size=40)))\n"
    )
    _same(bench, script)

    assert not bench.runs()
