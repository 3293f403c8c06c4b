// States that can be undone and redone. A state is never changed: an action makes a new one.

const MAX_STEPS = 200;

export class History {
  #states;
  #at = 0;

  constructor(first) {
    this.#states = [first];
  }

  get present() {
    return this.#states[this.#at];
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#states.length - 1;
  }

  /** Make a state the present one. What was undone cannot be redone afterwards. */
  push(state) {
    this.#states = [...this.#states.slice(0, this.#at + 1), state].slice(-MAX_STEPS);
    this.#at = this.#states.length - 1;
  }

  /** Change the present state without a step of its own, such as which object is selected. */
  replace(state) {
    this.#states[this.#at] = state;
  }

  undo() {
    if (this.canUndo) this.#at--;
  }

  redo() {
    if (this.canRedo) this.#at++;
  }
}
