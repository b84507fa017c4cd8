"""Conversions to ONNX that skl2onnx lacks or does otherwise: used by `onnx_export`.

- Rare and unseen categories share one column (`infrequent_if_exist`): skl2onnx refuses that.
- Numbers are kept within the bounds of `BoundedScaler`, so that float32 sums of the largest numbers stay finite too.
- Distances are computed at once, not row by row (`conversion_options`).
- Trees are written from their arrays, a hundred times as fast (`onnx_trees`).
- A regressor of a scaled target is folded into the regressor: skl2onnx has no conversion of the wrapper.
"""

from copy import deepcopy
from typing import Any

from releve.adapters.models.onnx_graphs import GraphWriter
from releve.adapters.models.onnx_trees import convert_boosting, convert_forest


def conversions() -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Converters and shape calculators by scikit-learn class."""
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    from releve.domain.training.transformers import BoundedScaler

    def one_hot_shape(operator: Any) -> None:
        width = len(operator.raw_operator.get_feature_names_out())
        operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])

    def same_shape(operator: Any) -> None:
        operator.outputs[0].type = FloatTensorType(list(operator.inputs[0].type.shape[:2]))

    forests = (ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor)
    trees = (DecisionTreeClassifier, DecisionTreeRegressor)
    converters = {
        OneHotEncoder: _one_hot,
        BoundedScaler: _scale,
        **dict.fromkeys((*forests, *trees), convert_forest),
        **dict.fromkeys((HistGradientBoostingClassifier, HistGradientBoostingRegressor), convert_boosting),
    }
    return converters, {OneHotEncoder: one_hot_shape, BoundedScaler: same_shape}


def conversion_options(model: Any) -> dict[int, dict[str, Any]] | None:
    """Options of the converter for the last step of a pipeline; None where it needs none.

    Nearest neighbours by one matrix product: left alone, it walks through the rows, 85 ms for one answer among 50,000.
    """
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    return {id(model): {"optim": "cdist"}} if isinstance(model, KNeighborsClassifier | KNeighborsRegressor) else None


def folded(pipeline: Any) -> Any:
    """The same pipeline, or an equal one of classes that skl2onnx knows, in the target's own unit."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline

    model = pipeline.steps[-1][1]
    if isinstance(model, TransformedTargetRegressor):
        unit = model.transformer_
        plain = deepcopy(model.regressor_)
        if isinstance(plain, MLPRegressor):
            plain.coefs_[-1] = plain.coefs_[-1] * unit.scale_[0]
            plain.intercepts_[-1] = plain.intercepts_[-1] * unit.scale_[0] + unit.mean_[0]
        else:  # a support vector machine
            for name in ("dual_coef_", "_dual_coef_"):
                setattr(plain, name, getattr(plain, name) * unit.scale_[0])
            for name in ("intercept_", "_intercept_"):
                setattr(plain, name, getattr(plain, name) * unit.scale_[0] + unit.mean_[0])
        model = plain
    for kind in (MLPClassifier, MLPRegressor):
        if isinstance(model, kind):
            known = kind()
            known.__dict__.update(model.__dict__)
            model = known
    return pipeline if model is pipeline.steps[-1][1] else Pipeline([*pipeline.steps[:-1], ("model", model)])


def _one_hot(scope: Any, operator: Any, container: Any) -> None:
    """Per column a 0/1 column for each frequent category and, where there are rare ones, 1 - their sum."""
    encoder, source = operator.raw_operator, operator.inputs[0].full_name
    graph = GraphWriter(scope, container)
    blocks = []
    for place, known in enumerate(encoder.categories_):
        rare = encoder.infrequent_categories_[place]
        frequent = [each for each in known if rare is None or each not in set(rare)]
        column = graph.node("Gather", source, graph.whole([place]), axis=1)
        each_known = graph.node(
            "OneHotEncoder",
            column,
            op_domain="ai.onnx.ml",
            zeros=1,
            cats_strings=[str(each).encode() for each in frequent],
        )
        block = graph.node("Reshape", each_known, graph.whole([-1, len(frequent)]))
        blocks.append(block)
        if rare is not None:
            found = graph.node("ReduceSum", block, graph.whole([1]), keepdims=1)
            blocks.append(graph.node("Sub", graph.number(1.0), found))
    container.add_node(
        "Concat", blocks, operator.outputs[0].full_name, axis=1, name=scope.get_unique_operator_name("Concat")
    )


def _scale(scope: Any, operator: Any, container: Any) -> None:
    scaler, source = operator.raw_operator, operator.inputs[0].full_name
    graph = GraphWriter(scope, container)
    above = graph.node("Max", source, graph.numbers(scaler.low_))
    bounded = graph.node("Min", above, graph.numbers(scaler.high_))
    centred = [graph.node("Sub", bounded, graph.numbers(scaler.mean_)), graph.numbers(scaler.scale_)]
    container.add_node("Div", centred, operator.outputs[0].full_name, name=scope.get_unique_operator_name("Div"))
