#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The part of `solc`'s command line that py-solc-x uses, over the WebAssembly compiler of the npm package `solc`.
// All sources arrive inside the standard JSON, so no import is ever looked up on disk. `--serve` compiles one line of
// JSON after the other, for those who compile hundreds of times.
'use strict';
const path = require('path');
const { readFileSync, writeSync } = require('fs');

const modules = process.env.SCF_NODE_MODULES || path.join(__dirname, '..', '..', 'contracts', 'node_modules');
const compiler = require(path.join(modules, process.env.SCF_SOLC_PACKAGE || 'solc'));

function print(text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (problem) {
      if (problem.code !== 'EAGAIN') throw problem;
    }
  }
}

if (process.argv.includes('--version')) {
  print(`solc, the solidity compiler commandline interface\nVersion: ${compiler.version()}\n`);
} else if (process.argv.includes('--standard-json')) {
  print(compiler.compile(readFileSync(0, 'utf8')));
} else if (process.argv.includes('--serve')) {
  require('readline')
    .createInterface({ input: process.stdin })
    .on('line', (line) => print(compiler.compile(line).replace(/\n/g, ' ') + '\n'));
} else {
  process.stderr.write('only --version, --standard-json and --serve are supported\n');
  process.exitCode = 1;
}
