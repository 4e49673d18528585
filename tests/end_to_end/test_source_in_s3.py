"""Data that lies at a prefix in S3: a start reads what is there by then."""

from __future__ import annotations

from pathlib import Path

from installed_command import ShellHere
from payments import SETTINGS as FROM_A_FILE
from payments import payments
from wire_clients import REGION, client_of

from sagemaker_local import endpoint

SETTINGS = FROM_A_FILE.replace('"payments.csv"', '"s3://shop/payments/"')


def put(home: Path, name: str, rows: int, seed: int) -> None:
    lines = ["amount,country,fraud", *map(",".join, payments(rows, seed))]
    with endpoint.start(home) as started:
        s3 = client_of(started.url, "s3")
        if not s3.list_buckets()["Buckets"]:
            s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket="shop", Key=f"payments/{name}.csv", Body="\n".join(lines).encode())


def test_new_objects_below_the_prefix_are_read_and_data_with_a_version_is_not_read_twice(
    tmp_path: Path,
) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")
    put(shell.home, "monday", 600, 1)
    first = shell.run("run")
    assert (first.code, "600 rows: " in first.err) == (0, True), first.err
    put(shell.home, "tuesday", 400, 2)
    second = shell.run("start", "--wait")
    assert (second.code, "1000 rows: " in second.err) == (0, True), second.err
    assert "version 2" in second.out

    settings = tmp_path / "projects.toml"
    for version, is_read in (("tuesday", True), ("tuesday", False), ("wednesday", True)):
        named = f'positive_class = "yes"\nversion = "{version}"'
        settings.write_text(SETTINGS.replace('positive_class = "yes"', named))
        done = shell.run("run", "--json")
        assert done.code == 0, done.err
        [preprocess] = [one for one in done.document["steps"] if one["name"] == "PreprocessData"]
        assert preprocess["cached"] is not is_read, version
