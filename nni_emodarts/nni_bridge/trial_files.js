/*
 * `/api/v1/nni/trial-file/TRIAL/FILE` of NNI's manager reads whatever path TRIAL and FILE make, `..%2F..` and links
 * included. Here it reads regular files of the trial's own folder.
 */
'use strict';

const fs = require('fs/promises');
const path = require('path');

const { whenLoaded } = require('./loading.js');

const LOGS = { stderr: 'trial.stderr', stdout: 'trial.stdout', 'trial.log': 'trial.log' };
const NAME = /^(?!\.{1,2}$)[^/\\\0]+$/;

whenLoaded('core/nnimanager', 'nni_node', loaded => {
    const manager = loaded.NNIManager.prototype;
    const read = manager.getTrialFile;
    manager.getTrialFile = async function (trial, file) {
        if (!/^[\w-]+$/.test(trial) || !NAME.test(file)) {
            throw refused();
        }
        const service = this.trainingService.v3; // of this machine and of others over SSH
        return service === undefined ? read.call(this, trial, file) : readOwn(service, trial, file);
    };
    return loaded;
});

async function readOwn(service, trial, file) {
    const folder = await fs.realpath(await service.downloadTrialDirectory(trial));
    const found = await fs.realpath(path.join(folder, LOGS[file] || file)).catch(() => null);
    if (found === null || !found.startsWith(folder + path.sep) || !(await fs.stat(found)).isFile()) {
        throw refused();
    }
    return fs.readFile(found, file in LOGS ? 'utf8' : null);
}

/** What NNI answers with 404. */
function refused() {
    const { NNIError, NNIErrorNames } = require(path.join(path.dirname(process.argv[1]), 'common', 'errors'));
    return new NNIError(NNIErrorNames.NOT_FOUND, 'no such file in the folder of this trial');
}
