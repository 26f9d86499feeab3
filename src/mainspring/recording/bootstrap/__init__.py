"""The folder that `mainspring run` puts on the path of what it starts; `sitecustomize` is all it holds."""

from pathlib import Path

FOLDER = Path(__file__).parent
