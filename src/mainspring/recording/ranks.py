"""Which of several equal processes this is: launchers say it in the environment."""

from __future__ import annotations

from mainspring.core.settings import launcher_ranks


def rank() -> int:
    """The place of this process among those that train together; 0 if it trains alone.

    torchrun, accelerate and DeepSpeed set RANK, Open MPI OMPI_COMM_WORLD_RANK, MPICH and Intel MPI
    PMI_RANK, Slurm's srun SLURM_PROCID (of steps with several tasks).
    """
    return next((found for found in launcher_ranks() if found > 0), 0)
