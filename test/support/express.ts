import express, { type RequestHandler } from 'express';

export const isExpress4 = 'del' in express.application;

/** Express 5 passes on what a handler rejects with. With Express 4 applications do that themselves. */
export function passingOn(handler: RequestHandler): RequestHandler {
  if (!isExpress4) return handler;
  return (req, res, next) => void Promise.resolve(handler(req, res, next)).catch(next);
}
