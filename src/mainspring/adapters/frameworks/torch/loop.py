"""A loop of one thread: what it calls, put together to trainings."""

from __future__ import annotations

import weakref
from typing import Any

from mainspring.adapters.frameworks.torch.following import Following
from mainspring.adapters.frameworks.torch.inputs import rows_of
from mainspring.adapters.frameworks.torch.objective import Objective
from mainspring.adapters.frameworks.torch.passes import Passes
from mainspring.adapters.frameworks.torch.readings import copy_of
from mainspring.recording.autologging import Autolog

MAX_WAITING = 1000
"""Losses that are held until an optimizer steps."""


class Loop:
    """What is called by one thread, and the training that it makes."""

    def __init__(self, torch: Any, autolog: Autolog) -> None:
        self.passes = Passes()
        self._torch = torch
        self._autolog = autolog
        self._waiting: list[Any] = []
        self._scaled: tuple[weakref.ref[Any], Any] | None = None
        self._objective = Objective()
        self._following: Following | None = None

    def differentiated(self, tensor: Any) -> None:
        """A tensor is about to be differentiated; a single number is a loss."""
        # Of a subclass (a distributed tensor) one process alone cannot know the value.
        if type(tensor) is not self._torch.Tensor or tensor.numel() != 1 or tensor.is_meta:
            return
        scaled = self._scaled
        if scaled is not None and scaled[0]() is tensor:
            value = scaled[1]
            self._objective.scaled = True
        else:
            value = copy_of(tensor)
        self._scaled = None
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
        self._waiting.append(value)
        self._objective.differentiated(tensor)
        self.passes.learn()
        following = self._following
        if following is not None:
            following.learning()

    def scaled(self, original: Any, scaled: Any) -> None:
        """A loss was multiplied, so that its gradients are not lost in half precision."""
        self._scaled = (weakref.ref(scaled), copy_of(original))

    def compared(self, module: Any, args: tuple[Any, ...], loss: Any) -> None:
        """A loss module was called: to learn, or to evaluate."""
        if loss.requires_grad:
            self._objective.compared(module, args)
        elif self._following is not None:
            self._following.evaluated(module, args, loss, self.passes.newest)

    def stepped(self, optimizer: Any, *, closure: bool) -> None:
        """An optimizer has stepped."""
        # One that calls back differentiates several times a step: the first is where it stood.
        values = self._waiting[:1] if closure else list(self._waiting)
        self._waiting.clear()
        following = self._following_of(optimizer)
        following.stepped(optimizer, values, self.passes.learned)

    def loaded(self, batches: Any, batch: Any) -> None:
        """A batch was loaded."""
        one = self.passes.of(batches)
        if one is None:
            return
        self.passes.fetched(one)
        if one.batches == 1 and (self._following is None or self._following.sample is None):
            one.sample = rows_of(self._torch, batch)

    def exhausted(self, batches: Any) -> None:
        """A pass is over."""
        one = self.passes.of(batches)
        if one is None or one.over:
            return
        self.passes.end(one)
        if self._following is not None and one.batches:
            self._following.passed(one)

    def _following_of(self, optimizer: Any) -> Following:
        """The training that a step belongs to."""
        present = self._following
        if present is not None and present.takes(optimizer):
            return present
        if present is not None:
            present.close()
        self._following = Following(self._torch, self._autolog, self._objective)
        self._following.begin(optimizer, self.passes.learned)
        return self._following
