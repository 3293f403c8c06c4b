// Objects in the formats of annotation tools.

import { colourOf, hex } from "../objects/colours.js";
import { chosenOf } from "../objects/objects.js";
import { areaOf, ringsOf, simplified } from "../masks/rings.js";
import { vector } from "../page/element.js";

const TOLERANCE = 1; // pixels by which an outline may deviate
const UNNAMED = "object";

/** Return the label of an object; `object` if it has none. */
export function nameOf(object) {
  return object.label || UNNAMED;
}

/** Return COCO's JSON. Its run lengths are those of the service, so the masks are exact. */
export function coco({ photo, objects }) {
  const names = classesOf(objects);
  return [
    json("coco.json", {
      images: [{ id: 1, file_name: photo.name, width: photo.width, height: photo.height }],
      categories: names.map((name, i) => ({ id: i + 1, name })),
      annotations: objects.map((object, i) => {
        const { mask, size, counts, score } = chosenOf(object);
        const [x0, y0, x1, y1] = mask.box;
        return {
          id: i + 1,
          image_id: 1,
          category_id: names.indexOf(nameOf(object)) + 1,
          segmentation: { size, counts },
          bbox: [x0, y0, x1 - x0, y1 - y0],
          area: mask.area,
          iscrowd: 0,
          score,
        };
      }),
    }),
  ];
}

/** Return a text file with a line for each part of an object, and the list of classes. */
export function yolo({ photo, objects, stem }) {
  const names = classesOf(objects);
  const lines = objects.flatMap((object) =>
    outlinesOf(object).map((ring) => {
      const shares = ring.flatMap(([x, y]) => [(x / photo.width).toFixed(6), (y / photo.height).toFixed(6)]);
      return [names.indexOf(nameOf(object)), ...shares].join(" ");
    }),
  );
  const list = names.map((name, i) => `  ${i}: ${JSON.stringify(name)}`);
  const yaml = ["path: .", "train: images", "val: images", "names:", ...list];
  return [
    { name: `labels/${stem}.txt`, blob: new Blob([lines.join("\n"), "\n"]) },
    { name: "data.yaml", blob: new Blob([yaml.join("\n"), "\n"]) },
  ];
}

/** Return LabelMe's JSON, which names the photo's file. Parts of one object have the same `group_id`. */
export function labelme({ photo, objects, stem }) {
  const shapes = objects.flatMap((object) =>
    outlinesOf(object).map((points) => ({
      label: nameOf(object),
      points,
      group_id: object.number,
      description: "",
      shape_type: "polygon",
      flags: {},
    })),
  );
  const { name: imagePath, width: imageWidth, height: imageHeight } = photo;
  const document = { version: "5.5.0", flags: {}, shapes, imagePath, imageData: null, imageHeight, imageWidth };
  return [json(`${stem}.json`, document)];
}

/** Return an SVG with a path for each object, its holes included. */
export function svg({ photo, objects, stem }) {
  const paths = objects.map((object) => {
    const colour = hex(colourOf(object.number));
    const d = ringsOf(chosenOf(object).mask)
      .map((ring) => `M${simplified(ring, TOLERANCE).map((corner) => corner.join(",")).join("L")}Z`)
      .join("");
    const properties = { d, fill: colour, "fill-opacity": "0.4", "fill-rule": "evenodd", stroke: colour };
    return vector("path", properties, vector("title", {}, nameOf(object)));
  });
  const { width, height } = photo;
  const root = vector("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, paths);
  const source = new XMLSerializer().serializeToString(root);
  return [{ name: `${stem}.svg`, blob: new Blob([source], { type: "image/svg+xml" }) }];
}

function classesOf(objects) {
  return [...new Set(objects.map(nameOf))];
}

/** Return the outlines of an object's parts, without holes. */
function outlinesOf(object) {
  return ringsOf(chosenOf(object).mask)
    .filter((ring) => areaOf(ring) > 0)
    .map((ring) => simplified(ring, TOLERANCE));
}

function json(name, value) {
  return { name, blob: new Blob([JSON.stringify(value)], { type: "application/json" }) };
}
