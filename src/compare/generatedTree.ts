/**
 * What the generator of random scripts believes of the volume: names, kinds, sizes. Near enough to choose sizes that
 * matter and paths that exist; where it is wrong a line answers an error, which is worth comparing too.
 */

export interface Node {
  readonly kind: 'file' | 'directory' | 'symlink' | 'special';
  /** Bytes, of a file. */
  size: number;
  /** Names of the attributes it may have. */
  readonly xattrs: Set<string>;
}

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

export const childOf = (directory: string, name: string): string =>
  directory === '/' ? `/${name}` : `${directory}/${name}`;

export class Tree {
  readonly #nodes = new Map<string, Node>();

  get(path: string): Node | undefined {
    return this.#nodes.get(path);
  }

  /** Paths of a kind, in the order they were made. */
  paths(kind: Node['kind']): string[] {
    return [...this.#nodes].filter(([, node]) => node.kind === kind).map(([path]) => path);
  }

  get all(): string[] {
    return [...this.#nodes.keys()];
  }

  /** Where a new name can go: the root and every directory. */
  get directories(): string[] {
    return ['/', ...this.paths('directory')];
  }

  #canHold(path: string): boolean {
    const parent = parentOf(path);
    return parent === '/' || this.get(parent)?.kind === 'directory';
  }

  #isEmpty(path: string): boolean {
    return !this.all.some((other) => other.startsWith(`${path}/`));
  }

  /** The node of a path, made when there is none and a directory for it. */
  make(path: string, kind: Node['kind']): Node {
    const node: Node = this.get(path) ?? { kind, size: 0, xattrs: new Set() };
    if (this.#canHold(path)) this.#nodes.set(path, node);
    return node;
  }

  /** A name for a node that has none. */
  adopt(path: string, node: Node): void {
    if (this.#canHold(path)) this.#nodes.set(path, node);
  }

  exchange(one: string, other: string): void {
    const [a, b] = [this.get(one), this.get(other)];
    if (a === undefined || b === undefined || a.kind === 'directory' || b.kind === 'directory') return;
    this.#nodes.set(one, b);
    this.#nodes.set(other, a);
  }

  link(from: string, to: string): void {
    const node = this.get(from);
    if (node === undefined || node.kind === 'directory' || this.get(to) !== undefined) return;
    if (this.#canHold(to)) this.#nodes.set(to, node);
  }

  remove(path: string): void {
    if (this.#isEmpty(path)) this.#nodes.delete(path);
  }

  move(from: string, to: string): void {
    const [node, other] = [this.get(from), this.get(to)];
    if (node === undefined || node === other || !this.#canHold(to) || to.startsWith(`${from}/`)) return;
    if (other !== undefined) {
      if ((node.kind === 'directory') !== (other.kind === 'directory') || !this.#isEmpty(to)) return;
    }
    for (const path of this.all.filter((each) => each === from || each.startsWith(`${from}/`))) {
      const moved = this.#nodes.get(path)!;
      this.#nodes.delete(path);
      this.#nodes.set(to + path.slice(from.length), moved);
    }
  }

  clear(): void {
    this.#nodes.clear();
  }
}
