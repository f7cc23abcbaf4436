// A small blob storage: block and append blobs through a SAS URL, as strict about their headers as the real one.
import https from 'node:https';
import http from 'node:http';
import { URL } from 'node:url';

const sas = 'sv=2021-08-06&sp=rcwa&sig=abc%2Fdef%3D';

export class BlobServer {
  // `tls`: {key, cert}; without it plain HTTP, as Azurite on the same machine.
  constructor(address, tls) {
    this.address = address;
    this.scheme = tls ? 'https' : 'http';
    this.blobs = new Map();  // by name: {type, contentType, contentEncoding, body, blocks: how many}
    this.blocks = new Map();  // uncommitted, by "name id"
    this.complaints = [];
    const serve = (request, response) => this.#serve(request, response);
    this.server = tls ? https.createServer(tls, serve) : http.createServer(serve);
  }
  async start() {
    await new Promise((resolve) => this.server.listen(0, this.address, resolve));
    this.sasUrl = `${this.scheme}://${this.address}:${this.server.address().port}/logs?${sas}`;
  }
  close() { this.server.closeAllConnections(); this.server.close(); }

  find(pattern) {
    const name = [...this.blobs.keys()].find((key) => pattern.test(key));
    return name ? { name, ...this.blobs.get(name) } : null;
  }

  async #serve(request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const answer = this.#put(request, Buffer.concat(pieces));
    if (answer >= 400) this.complaints.push(`${answer} ${request.method} ${request.url}`);
    response.writeHead(answer, { 'x-ms-version': '2021-08-06', ...(answer >= 400 ? { 'x-ms-error-code': 'Refused' } : {}) });
    response.end();
  }

  #put({ method, url, headers }, body) {
    const { pathname, searchParams } = new URL(url, 'http://blobs');
    if (method !== 'PUT') return 405;
    if (headers['content-length'] === undefined) return 411;
    if (!url.includes(`?${sas}`)) return 403;
    if (!headers['x-ms-version'] || !pathname.startsWith('/logs/')) return 400;
    const name = decodeURIComponent(pathname.slice('/logs/'.length));
    const blob = this.blobs.get(name);
    const comp = searchParams.get('comp');
    if (!comp) {
      const type = headers['x-ms-blob-type'];
      if (type !== 'AppendBlob' && type !== 'BlockBlob') return 400;
      if (type === 'AppendBlob' && body.length) return 400;
      this.blobs.set(name, { type, body, contentType: headers['content-type'],
        contentEncoding: headers['content-encoding'] ?? '' });
      return 201;
    }
    if (comp === 'block') {
      const id = searchParams.get('blockid');
      if (!id || !body.length) return 400;
      this.blocks.set(`${name} ${id}`, body);
      return 201;
    }
    if (comp === 'blocklist') {
      const ids = [...body.toString().matchAll(/<Latest>([^<]*)<\/Latest>/g)].map((match) => match[1]);
      const pieces = ids.map((id) => this.blocks.get(`${name} ${id}`));
      if (!ids.length || pieces.includes(undefined)) return 400;
      this.blobs.set(name, { type: 'BlockBlob', body: Buffer.concat(pieces), blocks: ids.length,
        contentType: headers['x-ms-blob-content-type'], contentEncoding: headers['x-ms-blob-content-encoding'] ?? '' });
      return 201;
    }
    if (comp !== 'appendblock') return 400;
    if (blob?.type !== 'AppendBlob') return 409;
    if (!body.length) return 400;
    const position = headers['x-ms-blob-condition-appendpos'];
    if (position !== undefined && Number(position) !== blob.body.length) return 412;
    blob.body = Buffer.concat([blob.body, body]);
    return 201;
  }
}
