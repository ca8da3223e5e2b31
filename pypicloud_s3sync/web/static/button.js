/**
 * The button on pypicloud's Admin page, which shows the state and opens the panel.
 */
(function () {
  "use strict";

  const ADMIN = "/admin";
  const PANEL = "/admin/s3sync";
  const POLL = 5000; // milliseconds between two requests while a run is in progress

  angular
    .module("pypicloud")

    // The command that the panel starts when it is opened next. It is not in the address: a link from another
    // site must not start anything.
    .factory("s3syncWish", function () {
      let command = null;
      return {
        make: (wished) => {
          command = wished;
        },
        take: () => {
          const wished = command;
          command = null;
          return wished;
        },
      };
    })

    // The Admin page cannot be extended, so the buttons are added to it: one next to "Rebuild package list", one
    // below.
    .run([
      "$rootScope",
      "$location",
      "$compile",
      "s3syncFocus",
      function ($rootScope, $location, $compile, focus) {
        let came = null;
        $rootScope.$on("$routeChangeSuccess", (event, current, previous) => {
          came = previous && previous.originalPath;
        });
        $rootScope.$on("$viewContentLoaded", (event) => {
          // The element that was clicked is gone: without this, the focus would be at the start of the page.
          if ($location.path() === PANEL && came) focus("s3sync-title");
          if ($location.path() !== ADMIN) return;
          const column = document.querySelector("[ng-view] .row > div");
          if (!column) return;
          // A child of the page's scope is destroyed with the page.
          const add = (element, html) => angular.element(element).append($compile(html)(event.targetScope.$new()));
          const rebuild = column.querySelector("[ng-click='rebuildPackages()']");
          if (rebuild) add(rebuild.parentNode, "<s3sync-reconcile></s3sync-reconcile>");
          add(column, "<div s3sync-button></div>");
          if (came === PANEL) focus("s3sync-open");
        });
      },
    ])

    .directive("s3syncReconcile", [
      "$location",
      "s3syncWish",
      function ($location, wish) {
        return {
          restrict: "E",
          template:
            '<span class="s3sync"><button type="button" class="btn btn-default" id="s3sync-admin-reconcile"' +
            ' title="Add what is missing in the package list, without emptying it first" ng-click="reconcile()">' +
            '<i class="fa fa-check-square-o" aria-hidden="true"></i> Reconcile</button></span>',
          link: function (scope) {
            scope.reconcile = () => {
              wish.make("reconcile");
              $location.path(PANEL);
            };
          },
        };
      },
    ])

    .directive("s3syncButton", [
      "$timeout",
      "s3syncRequests",
      "s3syncWords",
      function ($timeout, requestsOf, words) {
        return {
          restrict: "A",
          template:
            '<div class="s3sync s3sync-button"><a class="btn btn-default" id="s3sync-open" href="#/admin/s3sync">' +
            '<i class="fa {{ shown.mark }} s3sync-{{ shown.tone }}" aria-hidden="true"></i> {{ shown.text }}</a></div>',
          link: function (scope) {
            const requests = requestsOf(scope);
            let poll = null;
            scope.shown = { mark: "fa-spinner fa-spin", tone: "calm", text: "S3 sync" };
            load();
            scope.$on("$destroy", () => $timeout.cancel(poll));

            // An answer of the last minute will do: only the panel asks AWS.
            function load() {
              requests.get("", (answer) => typeof answer.state === "string", 60).then(show, (problem) => {
                scope.shown = words.problem(problem.error);
              });
            }

            function show(status) {
              const text = status.state === "off" ? { text: "Enable S3 sync" } : {};
              scope.shown = Object.assign({}, words.state(status.state), text);
              if (status.state === "running") poll = $timeout(load, POLL);
            }
          },
        };
      },
    ]);
})();
