"""Files that clients put into object storage themselves, with a presigned URL."""
