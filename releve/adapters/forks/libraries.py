"""What a fork server imports of others, so that its children need not."""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module

DVC = (
    "configobj",
    "dulwich.ignore",
    "dulwich.worktree",
    "dvc._debug",
    "dvc.cachemgr",
    "dvc.cli.parser",
    "dvc.data_cloud",
    "dvc.dirs",
    "dvc.lock",
    "dvc.repo.artifacts",
    "dvc.repo.brancher",
    "dvc.repo.datasets",
    "dvc.repo.graph",
    "dvc.repo.index",
    "dvc.repo.metrics",
    "dvc.repo.open_repo",
    "dvc.repo.params",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.repo.trie",
    "dvc.repo.worktree",
    "dvc.rwlock",
    "dvc.scm",
    "dvc.stage.run",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status",
    "dvc_data.index.checkout",
    "dvc_data.index.push",
    "fsspec.implementations.memory",
    "networkx",
    "platformdirs.unix",
    "psutil",
    "pyparsing",
    "rich.console",
    "rich.live",
    "rich.status",
    "ruamel.yaml",
    "ruamel.yaml.mergevalue",
)
# What the stages import of others. The first stage, `code`, runs each time and needs little.
CODE = ("numpy.random", "pydantic.dataclasses", "pydantic.json_schema", "ruamel.yaml", "statistics", "yaml")
STAGES = (
    "skops.io",  # the first, see _find_scipy_first
    *CODE,
    "narwhals.stable.v2",
    "onnxruntime",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "skl2onnx",
)
# What flows import of others, beside that.
FLOWS = (
    "anyio._backends._asyncio",
    "jinja2",
    "pandas.api.internals",
    "pandas.core.arrays.arrow.extension_types",
    "pandas.core.methods.to_dict",
    "prefect._internal.metrics",
    "prefect.artifacts",
    "prefect.deployments.steps",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "pydantic.v1",
    "pymilvus",
    "rich._emoji_codes",
    "sqlalchemy.dialects.sqlite",
)
# skops lists all estimators: scikit-learn then imports these two where they are installed, which nothing here asks for.
NOT_FOR_SKOPS = ("dask", "pytest")


def import_libraries(names: Sequence[str]) -> None:
    """Import what the stages need. A child may still import what was hidden from skops."""
    if unknown := [name for name in names if name not in sys.modules]:
        hidden = [name for name in NOT_FOR_SKOPS if name not in sys.modules]
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: an import of it fails
        gc.disable()  # else it goes through all that is loaded again and again
        try:
            for name in unknown:
                if name == "skops.io":
                    _find_scipy_first()
                import_module(name)
            if "pydantic.dataclasses" in unknown:
                sys.modules["pydantic"].create_model("First")  # pydantic then asks every package for plugins, once
        finally:
            gc.freeze()  # all of it stays: neither this process nor a child looks through it, or copies it
            gc.enable()
            for name in hidden:
                del sys.modules[name]


def _find_scipy_first() -> None:
    """Shorten the search of skops, on import, for the module of each SciPy function among all loaded ones, in order."""
    import_module("scipy.special")
    for name in [name for name in sys.modules if not name.startswith(("numpy", "scipy"))]:
        sys.modules[name] = sys.modules.pop(name)
