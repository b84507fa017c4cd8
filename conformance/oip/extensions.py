"""The sentences of its extensions: binary tensor data and the model repository."""

from conformance.oip.specification import Clause

BINARY = "triton-inference-server/server protocol/extension_binary_data.md"
REPOSITORY = "triton-inference-server/server protocol/extension_model_repository.md"

BINARY_REPORTED = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "Because this extension is supported, Triton reports “binary_tensor_data” in the extensions field of its Server "
    "Metadata.",
)
BINARY_ORDER = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "Tensor data represented as binary data is organized in little-endian byte order, row major, without stride or "
    "padding between elements.",
)
BINARY_SIZES = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "All tensor data types are representable as binary data in the native size of the data type.",
)
BINARY_BOOL = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "For BOOL type element true is a single byte with value 1 and false is a single byte with value 0.",
)
BINARY_BYTES = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "For BYTES type an element is represented by a 4-byte unsigned integer giving the length followed by the actual "
    "bytes.",
)
BINARY_PLACE = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "The binary data for a tensor is delivered in the HTTP body after the JSON object (see Examples).",
)
BINARY_SIZE = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    '"binary_data_size" : int64 parameter indicating the size of the tensor binary data, in bytes.',
)
BINARY_INPUT = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "The first parameter is used in $request_input and $response_output to indicate that the input or output tensor "
    "is communicated as binary data",
)
BINARY_DATA = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    '"binary_data" : bool parameter that is true if the output should be returned as binary data and false (or not '
    "given) if the tensor should be returned as JSON.",
)
BINARY_OUTPUT = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    '"binary_data_output" : bool parameter that is true if all outputs should be returned as binary data and false '
    "(or not given) if the outputs should be returned as JSON.",
)
BINARY_OVERRIDE = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    'If "binary_data" is specified on an output it overrides this setting.',
)
BINARY_SEQUENCE = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "the HTTP body of the request or response will contain the JSON inference request or response object followed by "
    "the binary tensor data in the same order as the order of the input or output tensors are specified in the JSON.",
)
BINARY_HEADER = Clause(
    BINARY,
    "Binary Tensor Data Extension",
    "If any binary data is present in the request or response the Inference-Header-Content-Length header must be "
    "provided to give the length of the JSON object, and Content-Length continues to give the full body length (as "
    "HTTP requires).",
)
BINARY_EXAMPLE = Clause(BINARY, "Examples", "HTTP/1.1 200 OK Content-Type: application/octet-stream")

REPOSITORY_REPORTED = Clause(
    REPOSITORY,
    "Model Repository Extension",
    "Because this extension is supported, Triton reports “model_repository” in the extensions field of the Server "
    "Metadata.",
)
REPOSITORY_APIS = Clause(
    REPOSITORY, "HTTP/REST", "The model-repository extension requires Index, Load and Unload APIs."
)
INDEX = Clause(REPOSITORY, "Index", "A successful index request is indicated by a 200 HTTP status code.")
INDEX_EVERY = Clause(
    REPOSITORY,
    "Index",
    "The index API returns information about every model available in a model repository, even if it is not currently "
    "loaded into Triton.",
)
INDEX_POST = Clause(
    REPOSITORY, "Index", "A model-repository index request is made with an HTTP POST to the index endpoint."
)
INDEX_READY = Clause(
    REPOSITORY,
    "Index",
    '"ready" : Optional, default is false. If true return only models ready for inferencing.',
)
INDEX_NAME = Clause(REPOSITORY, "Index", "“name” : The name of the model.")
INDEX_VERSION = Clause(REPOSITORY, "Index", "“version” : The version of the model.")
INDEX_STATE = Clause(REPOSITORY, "Index", "“state” : The state of the model.")
INDEX_REASON = Clause(REPOSITORY, "Index", "“reason” : The reason, if any, that the model is in the current state.")
INDEX_FAILED = Clause(
    REPOSITORY, "Index", "A failed index request must be indicated by an HTTP error status (typically 400)."
)
LOAD = Clause(REPOSITORY, "Load", "A successful load request is indicated by a 200 HTTP status.")
LOAD_FAILED = Clause(
    REPOSITORY, "Load", "A failed load request must be indicated by an HTTP error status (typically 400)."
)
UNLOAD_FAILED = Clause(
    REPOSITORY, "Unload", "A failed unload request must be indicated by an HTTP error status (typically 400)."
)
