/**
 * What a screen reader and the keyboard need: announcements, a focus that is never lost, the page's title.
 */
(function () {
  "use strict";

  const KEPT = 20; // announcements in the live region

  angular
    .module("pypicloud")

    // Announces each text once, also if several come at once or one is repeated: each is an element of its own.
    .factory("s3syncAnnounce", function () {
      function announce(text) {
        if (!announce.region || !text) return;
        const line = document.createElement("p");
        line.textContent = text.replace(/`/g, "");
        announce.region.appendChild(line);
        while (announce.region.children.length > KEPT) announce.region.removeChild(announce.region.firstChild);
      }
      return announce;
    })
    .directive("s3syncLiveRegion", [
      "s3syncAnnounce",
      function (announce) {
        return function (scope, element) {
          announce.region = element[0];
          scope.$on("$destroy", () => {
            if (announce.region === element[0]) announce.region = null;
          });
        };
      },
    ])

    // Focuses an element once it is there.
    .factory("s3syncFocus", [
      "$timeout",
      function ($timeout) {
        return function (id) {
          return $timeout(() => {
            const element = document.getElementById(id);
            if (element) element.focus();
          });
        };
      },
    ])

    // Focuses the named element if the one that had the focus disappears.
    .directive("s3syncKeepFocus", [
      "$timeout",
      function ($timeout) {
        return function (scope, element, attributes) {
          let last = null;
          let check = null;
          element.on("focusin", (event) => {
            last = event.target;
          });
          scope.$watch(() => {
            if (!check) check = $timeout(restore, 0, false);
          });
          scope.$on("$destroy", () => $timeout.cancel(check));

          function restore() {
            check = null;
            const isLost = !document.activeElement || document.activeElement === document.body;
            if (last && isLost && (!last.isConnected || last.disabled || last.offsetParent === null)) {
              last = null;
              document.getElementById(attributes.s3syncKeepFocus).focus();
            }
          }
        };
      },
    ])

    // Gives the browser's tab a title, until the panel is left.
    .directive("s3syncPageTitle", function () {
      return function (scope, element, attributes) {
        const original = document.title;
        scope.$watch(attributes.s3syncPageTitle, (text) => {
          document.title = text ? text + " - " + original : original;
        });
        scope.$on("$destroy", () => {
          document.title = original;
        });
      };
    });
})();
