import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inference_sdk import InferenceHTTPClient

client = InferenceHTTPClient(api_url="http://localhost:9001", api_key="key")


def segment(image):
    x0, y0, x1, y1 = boxes[image]
    box = {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2, "width": x1 - x0, "height": y1 - y0}
    return image, client.sam2_segment_image(image, [{"box": box}])


boxes = json.loads(Path("boxes.json").read_text())
results = Path("results.ndjson")
done = {json.loads(line)["image"] for line in results.open()} if results.exists() else set()
with ThreadPoolExecutor(8) as pool, results.open("a") as file:
    for image, result in pool.map(segment, sorted(boxes.keys() - done)):
        print(json.dumps({"image": image, "result": result}), file=file, flush=True)
