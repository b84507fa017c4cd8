"""The sentences that the checks rest on, and where they stand."""

from dataclasses import dataclass

REST = "kserve/open-inference-protocol specification/protocol/inference_rest.md"
OPENAPI = "kserve/open-inference-protocol specification/protocol/open_inference_rest.yaml"
BINARY = "triton-inference-server/server protocol/extension_binary_data.md"
REPOSITORY = "triton-inference-server/server protocol/extension_model_repository.md"


@dataclass(frozen=True)
class Clause:
    """One sentence, or line of a schema, of the specification."""

    source: str
    section: str
    sentence: str


LIVE = Clause(
    REST,
    "API Definitions",
    "The “server live” health API indicates if the inference server is able to receive and respond to metadata and "
    "inference requests.",
)
LIVE_BODY = Clause(REST, "Server Live Response JSON Objet", '$live_server_response = { "live" : $bool, }')
READY = Clause(
    REST, "API Definitions", "The “server ready” health API indicates if all the models are ready for inferencing."
)
READY_BODY = Clause(REST, "Server Ready Response JSON Object", '$ready_server_response = { "live" : $bool, }')
SERVER = Clause(
    REST,
    "Server Metadata Response JSON Object",
    "A successful server metadata request is indicated by a 200 HTTP status code.",
)
SERVER_NAME = Clause(REST, "Server Metadata Response JSON Object", "“name” : A descriptive name for the server.")
SERVER_VERSION = Clause(REST, "Server Metadata Response JSON Object", '"version" : The server version.')
SERVER_EXTENSIONS = Clause(
    REST, "Server Metadata Response JSON Object", "“extensions” : The extensions supported by the server."
)
SERVER_PATH = Clause(OPENAPI, "paths", "/v2/: get: summary: Server Metadata")
JSON_CONTENT = Clause(OPENAPI, "paths", "content: application/json")
MODEL_READY = Clause(
    REST,
    "API Definitions",
    "The “model ready” health API indicates if a specific model is ready for inferencing.",
)
MODEL_READY_NAME = Clause(
    REST,
    "Model Ready",
    "The model ready endpoint returns the readiness probe response for the server along with the name of the model.",
)
MODEL_READY_BODY = Clause(
    REST, "Model Ready Response JSON Object", '$ready_model_response = { "name" : $string, "ready": $bool }'
)
MODEL = Clause(
    REST,
    "Model Metadata Response JSON Object",
    "A successful model metadata request is indicated by a 200 HTTP status code.",
)
MODEL_NAME = Clause(REST, "Model Metadata Response JSON Object", "“name” : The name of the model.")
MODEL_VERSIONS = Clause(
    REST,
    "Model Metadata Response JSON Object",
    '"versions" : The model versions that may be explicitly requested via the appropriate endpoint.',
)
MODEL_PLATFORM = Clause(
    REST, "Model Metadata Response JSON Object", "“platform” : The framework/backend for the model."
)
PLATFORMS = Clause(REST, "Platforms", "Platform names use the format “<project>_<format>”.")
MODEL_INPUTS = Clause(REST, "Model Metadata Response JSON Object", "“inputs” : The inputs required by the model.")
MODEL_OUTPUTS = Clause(REST, "Model Metadata Response JSON Object", "“outputs” : The outputs produced by the model.")
TENSOR_METADATA = Clause(
    REST,
    "Model Metadata Response JSON Object",
    "Each model input and output tensors’ metadata is described with a $metadata_tensor object.",  # noqa: RUF001
)
METADATA_DATATYPE = Clause(
    REST,
    "Model Metadata Response JSON Object",
    '"datatype" : The data-type of the tensor elements as defined in Tensor Data Types.',
)
METADATA_SHAPE = Clause(
    REST,
    "Model Metadata Response JSON Object",
    '"shape" : The shape of the tensor. Variable-size dimensions are specified as -1.',
)
MODEL_FAILED = Clause(
    REST,
    "Model Metadata Response JSON Error Object",
    "A failed model metadata request must be indicated by an HTTP error status (typically 400).",
)
MODEL_ERROR = Clause(
    REST,
    "Model Metadata Response JSON Error Object",
    "The HTTP body must contain the $metadata_model_error_response object.",
)
ERROR_MESSAGE = Clause(REST, "Inference Response JSON Error Object", "“error” : The descriptive message for the error.")
GET_METADATA = Clause(
    REST, "Model Metadata", "A model metadata request is made with an HTTP GET to a model metadata endpoint."
)
POST_INFERENCE = Clause(REST, "Inference", "An inference request is made with an HTTP POST to an inference endpoint.")
INFERENCE = Clause(
    REST, "Inference Response JSON Object", "A successful inference request is indicated by a 200 HTTP status code."
)
INFERENCE_FAILED = Clause(
    REST,
    "Inference Response JSON Error Object",
    "A failed inference request must be indicated by an HTTP error status (typically 400).",
)
INFERENCE_ERROR = Clause(
    REST,
    "Inference Response JSON Error Object",
    "The HTTP body must contain the $inference_error_response object.",
)
REQUEST_BODY = Clause(
    REST,
    "Inference Request JSON Object",
    "The inference request object, identified as $inference_request, is required in the HTTP body of the POST request.",
)
REQUEST_VERSION = Clause(
    REST, "Inference Request JSON Object", "The model name and (optionally) version must be available in the URL."
)
REQUEST_ID = Clause(
    REST,
    "Inference Request JSON Object",
    '"id" : An identifier for this request. Optional, but if specified this identifier must be returned in the '
    "response.",
)
REQUEST_ID_TYPE = Clause(REST, "Inference Request JSON Object", '"id" : $string #optional')
REQUEST_PARAMETERS = Clause(
    REST,
    "Inference Request JSON Object",
    '"parameters" : An object containing zero or more parameters for this inference request expressed as key/value '
    "pairs.",
)
REQUEST_INPUTS = Clause(REST, "Inference Request JSON Object", '"inputs" : [ $request_input, ... ]')
REQUEST_OUTPUTS = Clause(
    REST, "Inference Request JSON Object", '"outputs" : The output tensors requested for this inference.'
)
ALL_OUTPUTS = Clause(
    REST,
    "Inference Request JSON Object",
    "Optional, if not specified all outputs produced by the model will be returned using default $request_output "
    "settings.",
)
INPUT_BATCH = Clause(
    REST,
    "Request Input",
    "If the input is batched, the shape and data must represent the full shape and contents of the entire batch.",
)
INPUT_NAME = Clause(REST, "Request Input", '"name" : The name of the input tensor.')
INPUT_SHAPE = Clause(
    REST,
    "Request Input",
    '"shape" : The shape of the input tensor. Each dimension must be an integer representable as an unsigned 64-bit '
    "integer value.",
)
INPUT_DATATYPE = Clause(
    REST,
    "Request Input",
    '"datatype" : The data-type of the input tensor elements as defined in Tensor Data Types.',
)
INPUT_PARAMETERS = Clause(
    REST,
    "Request Input",
    '"parameters" : An object containing zero or more parameters for this input expressed as key/value pairs.',
)
INPUT_DATA = Clause(REST, "Request Input", "“data”: The contents of the tensor.")
OUTPUT_NAME = Clause(REST, "Request Output", '"name" : The name of the output tensor.')
OUTPUT_PARAMETERS = Clause(
    REST,
    "Request Output",
    '"parameters" : An object containing zero or more parameters for this output expressed as key/value pairs.',
)
REQUESTED_OUTPUT = Clause(
    REST,
    "Inference Request Examples",
    "For the above request the inference server must return the “output0” output tensor.",
)
RESPONSE_NAME = Clause(
    REST, "Inference Response JSON Object", '"model_name" : The name of the model used for inference.'
)
RESPONSE_VERSION = Clause(
    REST,
    "Inference Response JSON Object",
    '"model_version" : The specific model version used for inference.',
)
RESPONSE_ID = Clause(REST, "Inference Response JSON Object", '"id" : The "id" identifier given in the request, if any.')
RESPONSE_OUTPUTS = Clause(
    REST,
    "Inference Response JSON Object",
    '"outputs" : The output tensors. Each output is described using the $response_output schema defined in Response '
    "Output.",
)
RESPONSE_BATCH = Clause(
    REST,
    "Response Output",
    "If the output is batched, the shape and data represents the full shape of the entire batch.",
)
RESPONSE_SHAPE = Clause(
    REST,
    "Response Output",
    '"shape" : The shape of the output tensor. Each dimension must be an integer representable as an unsigned 64-bit '
    "integer value.",
)
RESPONSE_DATATYPE = Clause(
    REST,
    "Response Output",
    '"datatype" : The data-type of the output tensor elements as defined in Tensor Data Types.',
)
RESPONSE_DATA = Clause(REST, "Response Output", "“data”: The contents of the tensor.")
PARAMETERS = Clause(
    REST,
    "Parameters",
    "The $parameters JSON describes zero or more “name”/”value” pairs, where the “name” is the name of the parameter "
    "and the “value” is a $string, $number, or $boolean.",
)
ROW_MAJOR = Clause(REST, "Tensor Data", "Tensor data must be presented in row-major order of the tensor elements.")
REPRESENTATION = Clause(
    REST,
    "Tensor Data",
    "Tensor elements may be presented in their nature multi-dimensional representation, or as a flattened "
    "one-dimensional representation.",
)
JSON_ARRAY = Clause(REST, "Tensor Data", "Tensor data given explicitly is provided in a JSON array.")
ELEMENTS = Clause(
    REST,
    "Tensor Data",
    "Each element of the array may be an integer, floating-point number, string or boolean value.",
)
COERCION = Clause(
    REST,
    "Tensor Data",
    "The server can decide to coerce each element to the required type or return an error if an unexpected value is "
    "received.",
)
DATATYPES = Clause(
    REST,
    "Tensor Data Types",
    "Tensor data types are shown in the following table along with the size of each type, in bytes.",
)

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
