/*
 * What NNI's remote service leaves out.
 *
 * - Workers reach the manager at `nniManagerIp`, where it listens for them alone.
 * - A machine that goes without a word, as in a power cut, is missed: NNI takes a heartbeat that it could send for one that
 *   arrived. Whatever ran there has ended for the manager then, and goes elsewhere.
 * - A machine that cannot be connected again is no place for trials; NNI goes on choosing it.
 * - Where none is left, the experiment ends; NNI waits for ever.
 * - A trial goes to the machine with the fewest, and not to the next in turn.
 * - NNI refuses a trial that wants all GPUs of a machine, and asks again without a pause.
 */
'use strict';

const dns = require('dns/promises');
const path = require('path');

const { listenToWorkers } = require('./local_requests.js');
const { whenLoaded } = require('./loading.js');

const MISSED = 3; // heartbeats, one each 5 s
const PAUSE = 1000; // ms before a machine is asked again that takes no trial
const A_LITTLE = 0.001; // of a GPU, by which a trial asks for less than all

/** Change what a module exports, once. */
function change(name, where, apply) {
    let isDone = false;
    whenLoaded(name, where, loaded => {
        if (!isDone) {
            isDone = true;
            apply(loaded);
        }
        return loaded;
    });
}

change('./remote', path.join('remote_v3', 'index.js'), loaded => {
    const service = loaded.RemoteTrainingServiceV3.prototype;
    const { start, launchWorker, restartWorker, createTrial } = service;
    service.start = async function () {
        const found = await Promise.all(this.config.machineList.map(machine => dns.lookup(machine.host, { all: true })));
        const addresses = found.flat().map(each => each.address);
        await listenToWorkers(this.config.nniManagerIp, new Set(addresses));
        this.log.info(`Listening at ${this.config.nniManagerIp} for ${addresses.join(', ')} alone`);
        return start.call(this);
    };
    service.launchWorker = async function (config) {
        const number = String(this.lastWorkerIndex + 1);
        try {
            return await launchWorker.call(this, config);
        } catch (error) {
            const worker = this.workersByChannel.get(number);
            if (worker) {
                this.stopWorker(worker, true);
            }
            throw error;
        }
    };
    service.restartWorker = async function (lost) {
        await restartWorker.call(this, lost);
        if (this.workers.length === 0) {
            console.error('No machine is left: the experiment ends. What its trials left stays.');
            require(path.join(path.dirname(process.argv[1]), 'common', 'globals')).globals.shutdown.initiate('no machine is left');
        }
    };
    service.createTrial = async function (...given) {
        const trial = await createTrial.apply(this, given).catch(error => {
            this.log.error('No trial is created:', error);
            return null;
        });
        if (trial === null) {
            await new Promise(resolve => setTimeout(resolve, PAUSE));
        }
        return trial;
    };
});

change('./worker', path.join('remote_v3', 'remote.js'), loaded => {
    const worker = loaded.Worker.prototype;
    const setChannel = worker.setChannel;
    worker.setChannel = function (channel) {
        channel.emitter.isOfWorker = true;
        setChannel.call(this, channel);
    };
});

change('./connection', path.join('websocket', 'channel.js'), loaded => {
    const connection = loaded.WsConnection.prototype;
    const heartbeat = connection.heartbeat;
    connection.heartbeat = function () {
        if (!this.commandEmitter.isOfWorker || this.missingPongs < MISSED) {
            heartbeat.call(this);
        } else if (!this.isMissed) {
            this.isMissed = true;
            clearInterval(this.heartbeatTimer);
            this.ws.terminate(); // the channel hears of it, and gives the worker 30 s to come back
        }
    };
});

change('common/trial_keeper/rpc', path.join('remote_v3', 'worker.js'), loaded => {
    const keeper = loaded.RemoteTrialKeeper.prototype;
    const createTrial = keeper.createTrial;
    keeper.createTrial = function (options) {
        const { gpuNumber } = options;
        return createTrial.call(this, gpuNumber >= 1 ? { ...options, gpuNumber: gpuNumber - A_LITTLE } : options);
    };
});

change('../training_service/v3/compat', path.join('core', 'nnimanager.js'), loaded => {
    loaded.V3asV1.prototype.schedule = function () {
        const running = Object.values(this.trialJobs).filter(trial => ['WAITING', 'RUNNING'].includes(trial.status));
        const load = env => running.filter(trial => trial.envId === env.id).length;
        const turn = this.environments.findIndex(env => env.id === this.lastEnvId) + 1;
        const inTurn = [...this.environments.slice(turn), ...this.environments.slice(0, turn)];
        const least = inTurn.sort((one, other) => load(one) - load(other))[0];
        this.lastEnvId = least === undefined ? this.lastEnvId : least.id;
        return least === undefined ? null : least.id;
    };
});
