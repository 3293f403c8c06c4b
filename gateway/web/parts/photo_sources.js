// Where a photo comes from: the file chooser, a file that is dropped, the clipboard, an address, the photo of the demo.

const SAMPLE = { url: "assets/photo.jpg", name: "astronaut.jpg" };

export class PhotoSources {
  #opening;
  #input = document.querySelector("#file");
  #depth = 0; // how many elements a dragged file is over, one inside another

  constructor(opening) {
    this.#opening = opening;
    this.#input.addEventListener("change", () => {
      this.#open(this.#input.files[0]);
      this.#input.value = ""; // so that the same file can be chosen again
    });
    document.querySelector("#address-form").addEventListener("submit", (event) => {
      event.preventDefault();
      opening.openUrl(document.querySelector("#address").value);
    });
    document.addEventListener("paste", (event) => this.#open(imageOf(event.clipboardData)));
    document.addEventListener("dragenter", (event) => this.#over(event, 1));
    document.addEventListener("dragleave", (event) => this.#over(event, -1));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#over(event, -this.#depth);
      this.#open(imageOf(event.dataTransfer) ?? event.dataTransfer.files[0]);
    });
  }

  choose() {
    this.#input.click();
  }

  async openSample() {
    const response = await fetch(SAMPLE.url);
    this.#opening.open(await response.blob(), SAMPLE.name);
  }

  #open(file) {
    if (file) this.#opening.open(file, file.name);
  }

  #over(event, step) {
    event.preventDefault();
    this.#depth = Math.max(this.#depth + step, 0);
    document.querySelector("#drop").classList.toggle("over", this.#depth > 0);
  }
}

function imageOf(transfer) {
  return [...transfer.files].find((file) => file.type.startsWith("image/"));
}
