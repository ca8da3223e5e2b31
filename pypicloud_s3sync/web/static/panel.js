/**
 * The panel, a page of pypicloud's admin pages: state, plan, run and activity.
 */
(function () {
  "use strict";

  const POLL = 2000; // milliseconds between two requests while a run is in progress
  // Milliseconds between two requests while the server does not answer: twice as many each time.
  const QUICKEST = 1000;
  const SLOWEST = 15000;
  // Problems that asking again does not solve.
  const FINAL = ["login", "forbidden", "csrf", "stale", "config"];
  // The routes that are not called as their command.
  const ROUTES = { compare: "reconcile?dry_run=true" };
  const LOST = "The connection was lost.";
  const FORGOTTEN =
    "The connection was lost, and the server has no result of the run." +
    " What you see above is the current state: if it is not what you want, start again.";

  angular
    .module("pypicloud")
    .config([
      "$routeProvider",
      function ($routeProvider) {
        $routeProvider.when("/admin/s3sync", { templateUrl: S3SYNC.panel, controller: "S3SyncCtrl" });
      },
    ])
    .controller("S3SyncCtrl", [
      "$scope",
      "$timeout",
      "$interval",
      "s3syncRequests",
      "s3syncRuns",
      "s3syncWords",
      "s3syncDifferences",
      "s3syncContents",
      "s3syncEvents",
      "s3syncChart",
      "s3syncAnnounce",
      "s3syncFocus",
      "s3syncWish",
      function ($scope, $timeout, $interval, requestsOf, runs, words, differences, contents, events, chart, announce, focus, wish) {
        const requests = requestsOf($scope);
        let poll = null;
        let delay = QUICKEST;
        let readingActivity = false;
        let lastSeen; // the start of the last run that the server has reported

        $scope.title = { mark: "fa-spinner fa-spin", tone: "calm", text: "S3 sync" };

        // The state and the activity

        $scope.refresh = function () {
          if ($scope.loading || $scope.planning || readingActivity) return;
          load()
            .then(() => announce($scope.title.text))
            .then(loadActivity);
        };

        $scope.reload = () => location.reload();

        function load() {
          $timeout.cancel(poll);
          $scope.loading = true;
          return requests
            .get("", (answer) => typeof answer.state === "string")
            .then(show, fail)
            .finally(() => {
              $scope.loading = false;
            });
        }

        function show(status) {
          delay = QUICKEST;
          $scope.problem = null;
          $scope.waiting = null;
          $scope.status = status;
          $scope.state = status.state;
          $scope.code = status.code && words.code(status.code);
          $scope.contents = contents(status);
          $scope.events = events(status);
          $scope.foreignTarget = foreignTarget(status);
          $scope.parts = (status.resources || []).map((part) => asPart(part, status));
          if (status.state === "running") showRunning(status.running || {});
          else showLast(status.last_run);
          // A run that this page followed may have installed it.
          if (status.installed && !$scope.activity) loadActivity();
          entitle();
        }

        function asPart(part, status) {
          const name = part.foreign ? "foreign" : part.state === "missing" && !status.installed ? "off" : part.state;
          return Object.assign({ word: words.part(name), texts: differences.inRow(part.differences) }, part);
        }

        // Returns where Lambda sends failed events, if that is not a queue of S3 sync.
        function foreignTarget(status) {
          const target = status.events && status.events.dead_letter_target;
          const isOwn = target && _.some(status.resources, (part) => part.name === target.split(":").pop());
          return isOwn ? null : target;
        }

        function showRunning(document) {
          const known = $scope.run && !$scope.run.result ? $scope.run : null;
          const ended = known ? runs.ended(known).length : 0;
          $scope.run = runs.fromDocument(document, known);
          runs.ended($scope.run).slice(ended).forEach((step) => announce(step.message));
          poll = $timeout(load, POLL);
        }

        // Shows the result of a run, unless this page followed it to its end.
        function showLast(last) {
          const run = $scope.run;
          const isNew = Boolean(last) && last.since !== lastSeen;
          const isShown = Boolean(run && run.isFresh);
          lastSeen = last ? last.since : lastSeen;
          if ($scope.busy) return learn(isNew ? last : { result: "unknown", message: FORGOTTEN });
          if (run && isShown) runs.dated(run, last);
          if (last && (isNew ? !isShown : run && !run.result)) $scope.run = runs.concluded(run, last);
          else if (run && !run.result) $scope.run = null;
        }

        function fail(problem) {
          const last = problem.last_run;
          if (last && last.since !== lastSeen && ($scope.busy || $scope.state === "running")) {
            // The run has ended, although its effect on AWS cannot be read.
            lastSeen = last.since;
            $scope.state = "unknown";
            learn(last);
          }
          const isFinal = FINAL.indexOf(problem.error) >= 0;
          if (($scope.busy || $scope.state === "running") && !isFinal) {
            // The run goes on without this page: ask until the server answers.
            $scope.waiting = problem.message;
            poll = $timeout(load, delay);
            delay = Math.min(2 * delay, SLOWEST);
            return;
          }
          if ($scope.run && !$scope.run.result) runs.leave($scope.run);
          $scope.busy = null;
          $scope.status = null;
          $scope.plan = null;
          $scope.waiting = null;
          $scope.problem = problem;
          $scope.state = "unknown";
          entitle();
          announce(problem.message);
        }

        // Loaded after the state, because the server reads AWS for one request at a time.
        function loadActivity() {
          if (!$scope.status || !$scope.status.installed) {
            $scope.activity = null;
            return null;
          }
          if (readingActivity) return null;
          const isActivity = (answer) => Array.isArray(answer.packages) && Array.isArray(answer.hours);
          readingActivity = true;
          return requests
            .get("/activity", isActivity)
            .then(showActivity, (problem) => {
              const text = problem.message;
              showActivity({ packages: [], packages_message: text, hours: [], hours_message: text });
            })
            .finally(() => {
              readingActivity = false;
            });
        }

        function showActivity(activity) {
          $scope.activity = activity;
          $scope.chart = chart(activity.hours);
        }

        function entitle() {
          const before = $scope.title.text;
          $scope.title = titleNow();
          if ($scope.title.text !== before) announce($scope.title.text);
        }

        function titleNow() {
          const running = { mark: "fa-spinner fa-spin", tone: "calm" };
          if ($scope.busy) return Object.assign(running, { text: words.COMMANDS[$scope.busy].running });
          if ($scope.problem) return words.problem($scope.problem.error);
          const command = $scope.state === "running" && words.COMMANDS[$scope.run.verb];
          return command ? Object.assign(running, { text: command.other }) : words.state($scope.state);
        }

        // The plan

        $scope.ask = function (verb) {
          if ($scope.planning) return;
          const run = runs.started(verb);
          $scope.planning = verb;
          announce("Reading the current state from AWS");
          requests
            .get("/plan?command=" + run.command, (answer) => Array.isArray(answer.actions))
            .then(
              (plan) => showPlan(plan, verb),
              (problem) => (FINAL.indexOf(problem.error) >= 0 ? fail(problem) : refuse(run, problem))
            )
            .finally(() => {
              $scope.planning = null;
            });
        };

        function showPlan(plan, verb) {
          $scope.run = null;
          plan.verb = verb;
          plan.word = words.COMMANDS[verb].verb;
          // Computed once: a function in the template would return new objects in each digest, without end.
          plan.shown = plan.actions.map(differences.ofAction);
          $scope.plan = plan;
          focus("s3sync-confirm");
        }

        function refuse(run, problem) {
          $scope.run = runs.described(Object.assign(run, problem, { result: "failed", isFresh: true, isRefused: true }));
          focus("s3sync-outcome");
        }

        $scope.cancel = function () {
          $scope.plan = null;
          focus("s3sync-title");
        };

        // The run

        $scope.confirm = () => start($scope.plan.verb);

        $scope.replay = () => $scope.planning || start("replay");
        $scope.reconcile = () => $scope.planning || start("reconcile");
        $scope.compare = () => $scope.planning || start("compare");

        function start(verb) {
          $scope.plan = null;
          $scope.busy = verb;
          $scope.run = runs.started(verb);
          entitle();
          focus("s3sync-run");
          requests
            .post(ROUTES[$scope.run.command] || $scope.run.command, addStep)
            .then((result) => (result ? finish(result) : follow()), notStarted);
        }

        function addStep(line) {
          runs.addStep($scope.run, line);
          if (line.state !== "running") announce(line.message);
        }

        // Follows a run whose stream has ended early: only the server knows its result.
        function follow() {
          $scope.waiting = LOST;
          load();
        }

        function notStarted(problem) {
          if (problem.error === "unreachable") return follow(); // The server may have started it.
          if (FINAL.indexOf(problem.error) >= 0) return fail(problem);
          if (problem.error === "conflict") return giveWay(problem);
          $scope.run.isRefused = true;
          finish(Object.assign({}, problem, { result: "failed" }));
        }

        // Shows the run that is in the way of this one, or how it ended.
        function giveWay(problem) {
          announce(problem.message);
          $scope.run = null;
          $scope.busy = null;
          focus("s3sync-title");
          load().then(loadActivity);
        }

        function finish(result) {
          $scope.run.isFresh = true;
          conclude(result);
          load().then(loadActivity);
        }

        // Ends a run whose result a request for the state has brought.
        function learn(result) {
          conclude(result);
          loadActivity();
        }

        function conclude(result) {
          $scope.run = runs.concluded($scope.run, result);
          $scope.busy = null;
          focus(result.result === "ok" ? "s3sync-title" : "s3sync-outcome");
        }

        // Returns whether a problem says a message already.
        $scope.isSaid = (message, problems) => _.some(problems, (problem) => problem.message.includes(message));
        $scope.percent = (step) => (step.total ? Math.round((100 * step.done) / step.total) : 0);

        const clock = $interval(() => $scope.run && runs.tick($scope.run), 1000);
        $scope.$on("$destroy", () => {
          $timeout.cancel(poll);
          $interval.cancel(clock);
        });
        const wished = wish.take();
        if (wished) start(wished);
        else load().then(loadActivity);
      },
    ]);
})();
