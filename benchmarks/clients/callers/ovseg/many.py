import json
from pathlib import Path

from ovseg_client import Client, Item

boxes = json.loads(Path("boxes.json").read_text())
items = [Item(image, boxes=[box]) for image, box in boxes.items()]
with open("results.ndjson", "w") as file:
    for outcome in Client().map(items, outputs=["rle"], resume="run.ndjson"):
        print(json.dumps({"image": outcome.image, "result": outcome.result.raw["result"]}), file=file)
