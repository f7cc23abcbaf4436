// What stands between two parties of a test: before the engine's socket to count, before a registry to be slow.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';

// Passes on everything said to the engine, and notes what changes something there.
export class EngineProxy {
  constructor(socket, engineSocket) {
    this.socket = socket;
    this.writes = [];
    this.looks = 0;  // at the list of containers
    this.server = http.createServer((request, response) => {
      if (request.method === 'GET') this.looks += /\/containers\/json/.test(request.url);
      else this.writes.push(`${request.method} ${request.url}`);
      const onward = http.request({ socketPath: engineSocket, path: request.url, method: request.method,
        headers: request.headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        response.flushHeaders();  // events may have nothing to say for long
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
      request.pipe(onward);
    });
  }
  async start() {
    fs.rmSync(this.socket, { force: true });
    await new Promise((resolve) => this.server.listen(this.socket, resolve));
  }
  // [writes, body's result]
  async writesDuring(body) {
    const before = this.writes.length;
    const result = await body();
    return [this.writes.slice(before), result];
  }
  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

// Passes on to a registry, but lets what it answers trickle until it is let go.
export class SlowRegistry {
  constructor(port, { host, port: target }) {
    this.port = port;
    this.slow = false;
    this.trickled = 0;
    this.server = net.createServer((client) => {
      const onward = net.connect(target, host);
      client.pipe(onward);
      this.pass(onward, client);
      for (const side of [client, onward]) side.on('error', () => { client.destroy(); onward.destroy(); });
    });
  }
  async pass(from, to) {
    try {
      for await (const bytes of from) {
        for (let begin = 0; begin < bytes.length;) {
          const step = this.slow ? 1024 : bytes.length;
          const piece = bytes.subarray(begin, begin + step);
          begin += step;
          if (!to.write(piece)) await new Promise((resolve) => { to.once('drain', resolve); to.once('close', resolve); });
          if (!this.slow) continue;
          this.trickled += piece.length;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    } catch { /* one of them has gone */ }
    to.end();
  }
  start() { return new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve)); }
  close() { this.server.close(); }
}
