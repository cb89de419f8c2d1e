import { useLocation, useRouteError } from "react-router";
import { Button, Empty, ErrorNote, LinkButton, useTitle } from "@/ui/kit";

export function RouteError({ whole }: { whole?: boolean }) {
  const error = useRouteError();
  useTitle("Something broke");
  // A room's code that is gone means that the server was upgraded under an open page.
  const stale = error instanceof TypeError && /dynamically imported module|module script/i.test(error.message);
  return (
    <div className={whole ? "page whole-error" : "page"}>
      {stale ? (
        <Empty
          icon="refresh"
          title="This page is older than the server"
          action={
            <Button look="primary" onClick={() => location.reload()}>
              Reload
            </Button>
          }
        >
          The server was updated while the page was open.
        </Empty>
      ) : (
        <ErrorNote error={error} retry={() => location.reload()} />
      )}
    </div>
  );
}

export function Lost() {
  const { pathname } = useLocation();
  useTitle("Not found");
  return (
    <div className="page">
      <Empty icon="search" title="There is nothing here" action={<LinkButton to="/">Go home</LinkButton>}>
        No page is called <code>{pathname}</code>.
      </Empty>
    </div>
  );
}
