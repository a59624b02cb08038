import type { Observable, Unwatch } from "./api";

/** Who is notified; one that fails does not keep the others from it. */
export class Listeners<T> {
  readonly #all = new Set<(value: T) => void>();

  add(listener: (value: T) => void): Unwatch {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  notify(value: T): void {
    for (const listener of [...this.#all]) {
      try {
        listener(value);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/** A value whose changes can be watched. */
export class ObservableValue<T> implements Observable<T> {
  readonly #listeners = new Listeners<T>();
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
    this.#listeners.notify(value);
  }

  watch(listener: (value: T) => void): Unwatch {
    return this.#listeners.add(listener);
  }
}
