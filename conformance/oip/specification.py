"""The sentences of the protocol that the checks rest on, and where they stand."""

from dataclasses import dataclass

REST = "kserve/open-inference-protocol specification/protocol/inference_rest.md"
OPENAPI = "kserve/open-inference-protocol specification/protocol/open_inference_rest.yaml"


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
