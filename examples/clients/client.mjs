// Ask a running service in JavaScript (Node 18 or later): node client.mjs http://127.0.0.1:3000 digits ../one_digit.json 8
import { readFile } from "node:fs/promises";

class ReleveError extends Error {}

class Client {
  constructor(address, scenario) {
    this.base = `${address}/scenarios/${encodeURIComponent(scenario)}/`;
    this.headers = { "content-type": "application/json" };
    const token = process.env.RELEVE_TOKEN; // none is needed on loopback
    if (token) this.headers.authorization = `Bearer ${token}`;
  }

  async post(path, body) {
    const response = await fetch(this.base + path, {
      method: "POST",
      headers: this.headers,
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const answer = await response.json();
    if (!response.ok) {
      throw new ReleveError(`${response.status} ${answer.error.code}: ${answer.error.message}`);
    }
    return answer;
  }
}

const [address, scenario, file, label] = process.argv.slice(2);
const client = new Client(address, scenario);
const { rows } = JSON.parse(await readFile(file, "utf8"));

const answer = await client.post("predict", { rows });
const first = answer.predictions[0];
console.log(`predicted ${first.label ?? first.value} by ${answer.model_version}`);

const found = await client.post("search", { row: rows[0], limit: 3 });
console.log(`neighbours ${found.neighbours.length}`);

// the true label, once it is known
const { accepted } = await client.post("feedback", { labels: [{ id: first.id, label: JSON.parse(label) }] });
console.log(`accepted ${accepted}`);

try {
  await client.post("predict", { rows: [] });
} catch (error) {
  if (!(error instanceof ReleveError)) throw error;
  console.log(`refused ${error.message}`);
}
