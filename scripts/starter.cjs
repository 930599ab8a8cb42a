'use strict';
// Starts kip. In the words of old Nodes, so that they can say what is wrong; `PROGRAM` and `COMMANDS` are replaced when kip is built.
var version = process.versions.node.split('.');
if (!(version[0] >= 24 || (version[0] === '22' && version[1] >= 12) || (version[0] === '20' && version[1] >= 19))) {
  process.stderr.write(
    'Error: kip needs Node 24 or newer, 22.12 or newer of 22, or 20.19 or newer of 20; this is ' +
      process.version +
      '.\n  Install Node 24: https://nodejs.org.\n',
  );
  process.exit(1);
}
var fs = require('fs');
var path = require('path');
var vm = require('vm');

var commands;
/** The commands have a cache too; everything else is a module like any other. */
function requireOfScript(id) {
  if (id !== './COMMANDS.js') return require(id);
  return commands || (commands = runScript('COMMANDS'));
}

/** V8 takes half as long to read what it has once compiled. Node has no cache of its own before version 22. */
function runScript(name) {
  var file = path.join(__dirname, name + '.js');
  var cacheFile = path.join(__dirname, name + '.cache');
  var cachedData;
  try {
    cachedData = fs.readFileSync(cacheFile);
  } catch {
    // Then it is compiled anew.
  }
  // The bundle is all ASCII, and so is read without being decoded.
  var script = new vm.Script(fs.readFileSync(file, 'latin1'), { filename: file, cachedData: cachedData });
  if (process.env.KIP_WRITE_CODE_CACHE) {
    process.on('exit', function () {
      fs.writeFileSync(cacheFile + '.new', script.createCachedData());
      fs.renameSync(cacheFile + '.new', cacheFile);
    });
  }
  var made = { exports: {} };
  script.runInThisContext()(made.exports, requireOfScript, made, file, __dirname);
  return made.exports;
}

runScript('PROGRAM');
