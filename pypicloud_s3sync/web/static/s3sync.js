/**
 * The S3 sync panel, part of pypicloud's admin pages.
 *
 * The page sets S3SYNC: the CSRF token, the URL of the routes and the URL of the panel's template.
 */
angular
  .module("pypicloud")
  .config([
    "$routeProvider",
    function ($routeProvider) {
      $routeProvider.when("/admin/s3sync", {
        templateUrl: S3SYNC.panel,
        controller: "S3SyncCtrl",
      });
    },
  ])

  // The text of each state, for the button and the panel.
  .constant("S3SYNC_STATES", {
    on: { mark: "fa-check", text: "S3 sync is on" },
    off: { mark: "fa-power-off", text: "S3 sync is off" },
    partial: { mark: "fa-warning", text: "S3 sync is incomplete" },
    differs: { mark: "fa-warning", text: "S3 sync differs from the settings" },
    running: { mark: "fa-spinner fa-spin", text: "S3 sync is being changed" },
    failed: { mark: "fa-warning", text: "The state of S3 sync is unknown" },
    config: { mark: "fa-ban", text: "S3 sync cannot work with these settings" },
  })

  // pypicloud's Admin page cannot be extended, so the button is added below "Rebuild package list".
  .run([
    "$rootScope",
    "$location",
    "$compile",
    "$document",
    function ($rootScope, $location, $compile, $document) {
      $rootScope.$on("$viewContentLoaded", function () {
        if ($location.path() !== "/admin") return;
        var column = $document[0].querySelector("[ng-view] .row > div");
        if (!column) return;
        var button = $compile("<div s3sync-button></div>")($rootScope.$new());
        angular.element(column).append(button);
      });
    },
  ])
  .directive("s3syncButton", [
    "$http",
    "S3SYNC_STATES",
    function ($http, STATES) {
      return {
        restrict: "A",
        template:
          '<div class="s3sync" style="margin: 10px 0"><a class="btn btn-default" href="#/admin/s3sync">' +
          '<i class="fa" ng-class="mark" aria-hidden="true"></i> {{ text }}</a></div>',
        link: function (scope) {
          scope.mark = "fa-spinner fa-spin";
          scope.text = "S3 sync";
          var show = function (state) {
            scope.mark = STATES[state].mark;
            scope.text = state === "off" ? "Enable S3 sync" : STATES[state].text;
          };
          $http
            .get(S3SYNC.url)
            .success(function (status) {
              show(status.state);
            })
            .error(function (data) {
              show(data && data.error === "config" ? "config" : "failed");
            });
        },
      };
    },
  ])

  // Posts a command and passes on each line of the response as it arrives; all arrive at the end if a proxy buffers.
  .factory("s3syncRun", [
    "$rootScope",
    function ($rootScope) {
      return function (command, onLine, onEnd) {
        var request = new XMLHttpRequest();
        var read = 0;
        var readLines = function () {
          var end = request.responseText.lastIndexOf("\n") + 1;
          var lines = request.responseText.slice(read, end).split("\n");
          read = Math.max(read, end);
          lines.forEach(function (line) {
            if (line) onLine(JSON.parse(line));
          });
        };
        request.open("POST", S3SYNC.url + "/" + command);
        request.setRequestHeader("X-CSRF-Token", S3SYNC.token);
        request.onprogress = function () {
          if (request.status === 200) $rootScope.$apply(readLines);
        };
        request.onloadend = function () {
          $rootScope.$apply(function () {
            if (request.status === 200) {
              readLines();
              return onEnd(null);
            }
            var problem = { message: "The server does not answer." };
            try {
              problem = JSON.parse(request.responseText);
            } catch (error) {
              // The response is not JSON: it is a proxy's error page, or empty.
            }
            onEnd(problem);
          });
        };
        request.send();
      };
    },
  ])

  .controller("S3SyncCtrl", [
    "$scope",
    "$http",
    "$timeout",
    "$document",
    "s3syncRun",
    "S3SYNC_STATES",
    function ($scope, $http, $timeout, $document, run, STATES) {
      var POLL = 2000; // milliseconds
      var destroyed = false;
      $scope.STATES = STATES;
      $scope.MARKS = { ok: "fa-check", given: "fa-check", missing: "fa-times", differs: "fa-warning" };
      $scope.steps = [];

      // State and activity

      $scope.load = function () {
        $scope.loading = true;
        $http
          .get(S3SYNC.url)
          .success(function (status) {
            $scope.loading = false;
            $scope.problem = null;
            $scope.status = status;
            $scope.state = status.state;
            if (status.state === "running") {
              // Another admin started the run, or this page was reloaded: wait until it ends.
              $timeout(function () {
                if (!destroyed && !$scope.busy) $scope.load();
              }, POLL);
            }
            $scope.announce(STATES[status.state].text);
          })
          .error(function (data) {
            $scope.loading = false;
            $scope.status = null;
            $scope.problem = data && data.message ? data : { message: "The server does not answer." };
            $scope.state = $scope.problem.error === "config" ? "config" : "failed";
            $scope.announce($scope.problem.message);
          });
      };

      $scope.loadActivity = function () {
        $http
          .get(S3SYNC.url + "/activity")
          .success(function (activity) {
            $scope.activity = activity;
            $scope.chart = chart(activity.hours);
          })
          .error(function (data) {
            var reason = data && data.message ? data.message : "The server does not answer.";
            $scope.activity = { packages: [], hours: [], packages_message: reason, hours_message: reason };
          });
      };

      // Plan, confirm, run

      $scope.ask = function (command) {
        $scope.outcome = null;
        $scope.steps = [];
        $scope.planning = true;
        $scope.announce("Reading the current state from AWS");
        $http
          .get(S3SYNC.url + "/plan", { params: { command: command } })
          .success(function (plan) {
            $scope.planning = false;
            // Computed once: a function in the template would return new objects in each digest, without end.
            plan.actions.forEach(function (action) {
              action.changes.forEach(function (change) {
                change.lines = lines(change, action.verb);
              });
            });
            $scope.plan = plan;
            focus("s3sync-confirm");
          })
          .error(function (data) {
            $scope.planning = false;
            end("failed", data && data.message ? data : { message: "The server does not answer." });
          });
      };

      $scope.cancel = function () {
        $scope.plan = null;
        focus("s3sync-title");
      };

      $scope.confirm = function () {
        var command = $scope.plan.command;
        $scope.plan = null;
        $scope.busy = command;
        $scope.steps = [];
        focus("s3sync-run");
        var result = null;
        run(
          command,
          function (line) {
            if (line.result) result = line;
            else showStep(line);
          },
          function (problem) {
            $scope.busy = null;
            if (problem) return end("failed", problem);
            if (result) return end(result.result, result);
            // The connection was lost, but the run continues.
            $scope.load();
          }
        );
      };

      function showStep(line) {
        var step = _.findWhere($scope.steps, { step: line.step });
        if (!step) $scope.steps.push((step = { step: line.step }));
        angular.extend(step, line);
        if (line.state !== "running") $scope.announce(line.message);
      }

      function end(result, document) {
        $scope.outcome = { result: result, message: document.message, policy: document.policy };
        $scope.announce(document.message);
        focus("s3sync-outcome");
        $scope.load();
        $scope.loadActivity();
      }

      // For the template

      $scope.announce = function (text) {
        $scope.announcement = text;
      };

      $scope.percent = function (step) {
        return step.total ? Math.round((100 * step.done) / step.total) : 0;
      };

      $scope.pretty = function (value) {
        return JSON.stringify(value, null, 2);
      };

      $scope.lag = function (ms) {
        if (ms === null || ms === undefined) return "";
        return ms < 1000 ? ms + " ms" : (ms / 1000).toFixed(1) + " s";
      };

      function lines(change, verb) {
        var before = verb === "create" ? [] : asLines(change.before);
        var after = asLines(change.after);
        return difference(before, after, "-").concat(difference(after, before, "+"));
      }

      function difference(lines, others, sign) {
        return _.difference(lines, others).map(function (line) {
          return { sign: sign, text: line };
        });
      }

      // Returns a value as lines of text: an IAM document as a line for each action.
      function asLines(value) {
        if (value === null || value === undefined) return [];
        if (typeof value !== "object") return [String(value)];
        if (!value.Statement) return JSON.stringify(value, null, 1).split("\n");
        return _.flatten(
          value.Statement.map(function (statement) {
            return [].concat(statement.Action).map(function (action) {
              return statement.Effect + " " + action + "  " + (statement.Resource || "assumed by Lambda");
            });
          })
        );
      }

      // Returns a bar for each hour, in a box of 480 by 100.
      function chart(hours) {
        var most = _.max([1].concat(_.pluck(hours, "invocations")));
        var bar = function (hour, index, name) {
          var height = (96 * Math.min(hour[name], most)) / most;
          return { x: index * 20 + 2, y: 98 - height, height: height };
        };
        return {
          most: most,
          events: sum(hours, "invocations"),
          errors: sum(hours, "errors"),
          bars: hours.map(function (hour, index) {
            return {
              time: hour.time,
              invocations: hour.invocations,
              errors: hour.errors,
              event: bar(hour, index, "invocations"),
              error: bar(hour, index, "errors"),
            };
          }),
        };
      }

      function sum(hours, name) {
        return hours.reduce(function (total, hour) {
          return total + hour[name];
        }, 0);
      }

      function focus(id) {
        $timeout(function () {
          var element = $document[0].getElementById(id);
          if (element) element.focus();
        });
      }

      $scope.$on("$destroy", function () {
        destroyed = true;
      });
      $scope.load();
      $scope.loadActivity();
    },
  ]);
