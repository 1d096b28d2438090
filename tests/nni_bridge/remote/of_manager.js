/* What NNI's own code does with trials for GPUs and for several machines, as it is and as changed; prints JSON. */
'use strict';

const { createRequire } = require('module');
const path = require('path');

const [root, log, change] = process.argv.slice(2);
process.chdir(root);
require(path.join(root, 'node_modules', 'app-module-path')).addPath(root);
const { initGlobalsCustom } = require('common/globals');
initGlobalsCustom({ experimentId: 'e', experimentsDirectory: path.dirname(log), logLevel: 'info', urlPrefix: '' }, log);
if (change) {
    require(change);
}
const { TaskScheduler, UnitTestHelpers } = require('common/trial_keeper/task_scheduler/scheduler');
require('training_service/remote_v3');
const { RemoteTrialKeeper } = require('common/trial_keeper/rpc');
const asManager = createRequire(path.join(root, 'core', 'nnimanager.js')); // which loads it when an experiment begins
const { V3asV1 } = asManager('../training_service/v3/compat');

/** The GPUs that two trials get, one after the other, of a machine that has so many. */
async function share(count, asked) {
    const gpus = [...Array(count).keys()].map(index => ({ index }));
    UnitTestHelpers.mockGpuInfo({ gpuNumber: count, gpus, processes: [] });
    const scheduler = new TaskScheduler();
    await scheduler.init();
    const keeper = Object.create(RemoteTrialKeeper.prototype);
    keeper.rpc = { call: (_id, _method, [options]) => scheduler.schedule('e', options.id, options.gpuNumber, {}) };
    const given = [];
    for (const id of ['a', 'b']) {
        given.push(await keeper.createTrial({ id, gpuNumber: asked }));
    }
    return given.map(each => each && each.CUDA_VISIBLE_DEVICES);
}

/** Where trials go, of which those on `x` last and those on `y` do not. */
function place() {
    const service = Object.create(V3asV1.prototype);
    Object.assign(service, { environments: [{ id: 'x' }, { id: 'y' }], trialJobs: {}, lastEnvId: '' });
    return [...Array(6).keys()].map(number => {
        const envId = service.schedule();
        service.trialJobs[number] = { envId, status: envId === 'x' ? 'RUNNING' : 'SUCCEEDED' };
        return envId;
    }).join('');
}

async function main() {
    const found = { place: place() };
    for (const [count, asked] of [[1, 1], [2, 1], [2, 2], [4, 2], [1, 2], [1, 0.5]]) {
        found[`${asked} of ${count}`] = await share(count, asked);
    }
    process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0));
}

main();
