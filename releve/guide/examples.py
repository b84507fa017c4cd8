"""A request to a scenario that serves, in the languages that people ask from."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

SHELL = """curl -s {address} \\
  -H 'content-type: application/json'{authorization} \\
  -d {body}"""
PYTHON = """import json
import urllib.request

rows = json.loads({body})
request = urllib.request.Request(
    {address},
    data=json.dumps(rows).encode(),
    headers={headers},
)
print(json.load(urllib.request.urlopen(request)))"""
JAVASCRIPT = """const rows = {body};
const answer = await fetch({address}, {{
  method: "POST",
  headers: {headers},
  body: JSON.stringify(rows),
}});
console.log(JSON.stringify(await answer.json()));"""
JAVA = """import java.net.URI;
import java.net.http.*;

public class Ask {{
    public static void main(String[] arguments) throws Exception {{
        String rows = {body};
        HttpRequest request = HttpRequest.newBuilder(URI.create({address}))
            .header("content-type", "application/json"){authorization}
            .POST(HttpRequest.BodyPublishers.ofString(rows))
            .build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }}
}}"""
TOKEN = "YOUR_TOKEN"


def example_requests(address: str, row: Mapping[str, Any], *, with_token: bool) -> dict[str, str]:
    """By language, a whole program that asks for one row.

    `address`: of the scenario's /predict; `row`: a row that the scenario takes; `with_token`: whether the service asks
    for one.
    """
    body = json.dumps({"rows": [dict(row)]}, ensure_ascii=False)
    bearer = f"Bearer {TOKEN}"
    headers = {"content-type": "application/json"} | ({"authorization": bearer} if with_token else {})
    return {
        "Shell": SHELL.format(
            address=address,
            authorization=f" \\\n  -H {shlex.quote(f'authorization: {bearer}')}" if with_token else "",
            body=shlex.quote(body),
        ),
        "Python": PYTHON.format(address=json.dumps(address), headers=json.dumps(headers), body=repr(body)),
        "JavaScript": JAVASCRIPT.format(address=json.dumps(address), headers=json.dumps(headers), body=body),
        "Java": JAVA.format(
            address=json.dumps(address),
            authorization=f'\n            .header("authorization", {json.dumps(bearer)})' if with_token else "",
            body=json.dumps(json.dumps({"rows": [dict(row)]})),  # ASCII alone: a source's encoding is the machine's
        ),
    }
