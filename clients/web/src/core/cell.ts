import type { Unwatch, Watched } from "./contract";

/** Whom to tell; one that fails does not keep the others from being told. */
export class Bell<T> {
  readonly #told = new Set<(value: T) => void>();

  listen(told: (value: T) => void): Unwatch {
    this.#told.add(told);
    return () => this.#told.delete(told);
  }

  ring(value: T): void {
    for (const told of [...this.#told]) {
      try {
        told(value);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/** A value that changes, and tells. */
export class Cell<T> implements Watched<T> {
  readonly #bell = new Bell<T>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.#bell.ring(value);
  }

  watch(told: (value: T) => void): Unwatch {
    return this.#bell.listen(told);
  }
}
