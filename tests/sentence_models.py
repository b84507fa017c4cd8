"""Tiny text encoders with everything real but their size: tokenizer, network and pooling, or a vector per token."""

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
    make_onnx_model(folder, network=network, seed=seed)
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH, **pooling}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_tokens}))
    kinds = [{"type": f"sentence_transformers.models.{kind}"} for kind in modules]
    (folder / "modules.json").write_text(json.dumps(kinds))
    return folder


def make_onnx_model(
    folder: Path, *, network: str = "model.onnx", seed: int = 7, ready: bool = False, mask: str = "attention_mask"
) -> Path:
    """A folder with a network and a tokenizer alone; `ready`: it pools itself. `mask`: what it calls its mask."""
    (folder / network).parent.mkdir(parents=True, exist_ok=True)
    (folder / network).write_bytes(_network(seed, ready=ready, mask=mask))
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def make_static_model(folder: Path, *, seed: int = 7, **arrays: Any) -> Path:
    """A model2vec folder; `arrays` beside its embeddings, or in their place."""
    embeddings = np.random.default_rng(seed).normal(size=(len(WORDS), WIDTH)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(_safetensors({"embeddings": embeddings, **arrays}))
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def _safetensors(arrays: dict[str, Any]) -> bytes:
    names = {"float32": "F32", "float16": "F16", "int8": "I8", "int64": "I64"}
    header, content = {}, b""
    for name, array in arrays.items():
        place = [len(content), len(content) + array.nbytes]
        header[name] = {"dtype": names[array.dtype.name], "shape": array.shape, "data_offsets": place}
        content += array.tobytes()
    described = json.dumps(header).encode()
    return len(described).to_bytes(8, "little") + described + content


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


def _network(seed: int, *, ready: bool = False, mask: str = "attention_mask") -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    table = np.random.default_rng(seed).normal(size=(len(WORDS), WIDTH)).astype(np.float32)
    constants = {
        "table": table,
        "last": np.array([2], np.int64),
        "along": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", [mask], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["tokens", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "along"], ["total"], keepdims=1),
        helper.make_node("ReduceSum", ["mask3", "along"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["context"]),
        helper.make_node("Add", ["tokens", "context"], ["last_hidden_state"]),
    ]
    shape = ["texts", "tokens"]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, WIDTH])
    if ready:
        nodes.append(helper.make_node("Squeeze", ["context", "along"], ["sentence_embedding"]))
        output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["texts", WIDTH])
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", mask)],
        [output],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())
