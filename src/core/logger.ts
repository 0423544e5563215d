/** Where the few lines go that an operator should see. Any logger with these methods fits: `console`, pino, winston. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
}
