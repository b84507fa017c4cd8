"""A real server of S3's protocol on this machine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.serving.process import free_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Store:
    """An S3 service with one bucket."""

    endpoint: str
    bucket: str

    @property
    def params(self) -> dict[str, str]:
        return {"remote": f"s3://{self.bucket}/releve", "endpoint": self.endpoint}

    @property
    def files(self) -> list[str]:
        with self._client() as client:
            return [entry["Key"] for entry in client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def put(self, key: str, content: bytes) -> None:
        with self._client() as client:
            client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def delete(self, key: str) -> None:
        with self._client() as client:
            client.delete_object(Bucket=self.bucket, Key=key)

    def empty(self) -> None:
        for key in self.files:
            self.delete(key)

    def make(self) -> None:
        with self._client() as client:
            client.create_bucket(Bucket=self.bucket)

    def _client(self) -> Any:
        """Closed after use: an open connection would be another test's warning."""
        import boto3

        return closing(boto3.client("s3", endpoint_url=self.endpoint))


@contextmanager
def running_store() -> Iterator[Store]:
    """A server with an empty bucket, until the block ends; CREDENTIALS have to be in the environment."""
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    made = Store(f"http://127.0.0.1:{port}", bucket=f"bucket-{port}")
    made.make()
    try:
        yield made
    finally:
        server.stop()
