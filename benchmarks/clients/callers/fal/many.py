import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fal_client


def segment(image):
    url = fal_client.upload_file(image)
    return image, fal_client.subscribe("me/segment", {"image_url": url, "box": boxes[image]})


boxes = json.loads(Path("boxes.json").read_text())
results = Path("results.ndjson")
done = {json.loads(line)["image"] for line in results.open()} if results.exists() else set()
with ThreadPoolExecutor(8) as pool, results.open("a") as file:
    for image, result in pool.map(segment, sorted(boxes.keys() - done)):
        print(json.dumps({"image": image, "result": result}), file=file, flush=True)
