"""A tiny sentence-transformers folder with everything real but its size: tokenizer, network, pooling."""

import json
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "apple", "green", "car", "fast", "slow", "##s")
WIDTH = 6


def make_sentence_model(
    folder: Path,
    *,
    pooling: dict[str, Any] | None = None,
    network: str = "onnx/model.onnx",
    modules: tuple[str, ...] = ("Transformer", "Pooling", "Normalize"),
    max_tokens: int = 16,
    seed: int = 7,
) -> Path:
    """The folder. Its network adds to each token's vector the mean of the tokens that the mask lets through."""
    pooling = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False} if pooling is None else pooling
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / network).parent.mkdir(parents=True, exist_ok=True)
    (folder / network).write_bytes(_network(seed))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH, **pooling}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_tokens}))
    kinds = [{"type": f"sentence_transformers.models.{kind}"} for kind in modules]
    (folder / "modules.json").write_text(json.dumps(kinds))
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    known = {word: place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", known["[CLS]"]), ("[SEP]", known["[SEP]"])]
    )
    tokenizer.enable_padding(length=64, pad_id=0)  # as many published files ask for
    return tokenizer


def _network(seed: int) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    table = np.random.default_rng(seed).normal(size=(len(WORDS), WIDTH)).astype(np.float32)
    constants = {
        "table": table,
        "last": np.array([2], np.int64),
        "along": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["tokens", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "along"], ["total"], keepdims=1),
        helper.make_node("ReduceSum", ["mask3", "along"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["context"]),
        helper.make_node("Add", ["tokens", "context"], ["last_hidden_state"]),
    ]
    shape = ["texts", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, WIDTH])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())
