// src/engine/moby against a real dockerd and a registry with a password: tests/e2e/moby/engine_check.cpp does the work.
import test from 'node:test';
import { checkEngine } from './check.mjs';
import { Engine } from './engine.mjs';

test('the engine of containers keeps the promises of engine.hpp on a real dockerd', () => checkEngine(new Engine()));
