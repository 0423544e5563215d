import { ConfigError } from './errors.ts';

/** Any method. */
export type Method = (this: never, ...args: never) => unknown;

/** Puts another method in place of one; `bind` has it keep its object wherever it is passed. */
export interface Replacement {
  readonly decorator: string;
  readonly replace: (method: Method) => (this: unknown, ...args: never) => unknown;
  readonly bind?: true;
}

/** How a decorator is called: by the standard, or by TypeScript's `experimentalDecorators`. */
export type Decorating =
  | readonly [method: unknown, context: StandardContext]
  | readonly [target: unknown, name: PropertyKey, descriptor?: PropertyDescriptor];

interface StandardContext {
  readonly kind: string;
  readonly name: PropertyKey;
  readonly private: boolean;
  addInitializer(initializer: (this: unknown) => void): void;
}

/**
 * A decorator of methods for both kinds of decorators.
 *
 * @throws {ConfigError} When it decorates something else.
 */
export function decorate(replacement: Replacement, call: Decorating): unknown {
  const [target, context, descriptor] = call;
  if (typeof context === 'object') return decorateStandard(replacement, target, context);
  return decorateLegacy(replacement, context, descriptor);
}

/** @see https://github.com/tc39/proposal-decorators */
function decorateStandard(replacement: Replacement, method: unknown, context: StandardContext): unknown {
  if (context.kind !== 'method') return refuse(replacement);
  const { name } = context;
  if (replacement.bind === true && !context.private) {
    context.addInitializer(function bindToInstance(this: unknown) {
      const self = this as Record<PropertyKey, Method>;
      Object.defineProperty(self, name, { value: self[name]?.bind(self as never), configurable: true, writable: true });
    });
  }
  return replaced(replacement, method as Method);
}

/** Methods behind the accessors that bind them: the next decorator of the same method replaces these. */
const bound = new WeakMap<() => unknown, Method>();

function decorateLegacy(
  replacement: Replacement,
  name: PropertyKey,
  descriptor: PropertyDescriptor | undefined,
): PropertyDescriptor {
  const value: unknown = descriptor?.get === undefined ? descriptor?.value : bound.get(descriptor.get);
  if (descriptor === undefined || typeof value !== 'function') return refuse(replacement);
  const method = replaced(replacement, value as Method);
  return replacement.bind === true || descriptor.get !== undefined
    ? bindingDescriptor(name, method)
    : { ...descriptor, value: method };
}

/** Legacy decorators see the class alone, so the method is bound when it is taken from an object: once for each. */
function bindingDescriptor(name: PropertyKey, method: Method): PropertyDescriptor {
  const ofObject = new WeakMap<object, Method>();
  function get(this: object): Method {
    const known = ofObject.get(this) ?? method.bind(this as never);
    ofObject.set(this, known);
    return known;
  }
  bound.set(get, method);
  return {
    configurable: true,
    get,
    set(this: object, value: unknown) {
      Object.defineProperty(this, name, { value, configurable: true, writable: true, enumerable: true });
    },
  };
}

/** The new method under the old one's name, which stack traces show. */
function replaced({ replace }: Replacement, method: Method): Method {
  return Object.defineProperty(replace(method), 'name', { value: method.name, configurable: true });
}

function refuse({ decorator }: Replacement): never {
  throw new ConfigError(`@${decorator} decorates methods.`);
}
