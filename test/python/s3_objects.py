"""What boto3 sees in an S3 store, and objects made by it.

s3_objects.py URL create BUCKET ... | list BUCKET PREFIX | put BUCKET KEY TEXT | fill BUCKET PREFIX COUNT | uploads BUCKET
  | begin BUCKET KEY FILE PART_BYTES PARTS
"""
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3

url, command, *arguments = sys.argv[1:]
client = boto3.client("s3", endpoint_url=url)


def list_objects(bucket, prefix):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"]
            digest = hashlib.sha256()
            for chunk in iter(lambda: body.read(2**20), b""):
                digest.update(chunk)
            yield {
                "key": item["Key"],
                "size": item["Size"],
                "sha256": digest.hexdigest(),
                "etag": item["ETag"].strip('"'),
            }


if command == "create":
    for name in arguments:
        client.create_bucket(Bucket=name)
elif command == "list":
    print(json.dumps(list(list_objects(*arguments))))
elif command == "put":
    bucket, key, text = arguments
    client.put_object(Bucket=bucket, Key=key, Body=text.encode())
elif command == "fill":
    bucket, prefix, count = arguments
    with ThreadPoolExecutor(8) as threads:
        for number in range(int(count)):
            key = f"{prefix}{number:05}.txt"
            threads.submit(client.put_object, Bucket=bucket, Key=key, Body=f"file {number}".encode())
elif command == "uploads":
    found = client.list_multipart_uploads(Bucket=arguments[0]).get("Uploads", [])
    print(json.dumps([item["Key"] for item in found]))
elif command == "begin":
    bucket, key, path, size, parts = arguments
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    with open(path, "rb") as file:
        for number in range(1, int(parts) + 1):
            client.upload_part(
                Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=file.read(int(size))
            )
else:
    sys.exit(f"unknown command {command}")
