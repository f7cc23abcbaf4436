// Authorities and certificates for devices, made by openssl at run time; nothing of them outlives the test.
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

// Makes files in `folder`. A certificate is {cert, key}: their names; text(), thumbprint() read it.
export class Certificates {
  constructor(folder) {
    this.folder = folder;
    this.count = 0;
    fs.mkdirSync(folder, { recursive: true });
  }

  openssl(...args) { execFileSync('openssl', args, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] }); }

  // Signed by `issuer`, or by itself; `days` below zero: expired.
  make(name, { issuer, days = 1, authority = false } = {}) {
    const base = path.join(this.folder, String(++this.count));
    const made = { cert: `${base}.pem`, key: `${base}.key.pem` };
    this.openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`,
      '-keyout', made.key, '-out', `${base}.csr`);
    fs.writeFileSync(`${base}.ext`, authority
      ? 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n'
      : 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n');
    const signer = issuer
      ? ['-CA', issuer.cert, '-CAkey', issuer.key, '-set_serial', String(1000 + this.count)]
      : ['-signkey', made.key];
    this.openssl('x509', '-req', '-in', `${base}.csr`, '-days', String(days), '-extfile', `${base}.ext`,
      '-out', made.cert, ...signer);
    return made;
  }
}

export const text = (certificate) => fs.readFileSync(certificate.cert, 'utf8');
export const key = (certificate) => fs.readFileSync(certificate.key, 'utf8');
export const thumbprint = (certificate, digest = 'fingerprint256') =>
  new crypto.X509Certificate(text(certificate))[digest].replaceAll(':', '');
