import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Input } from 'tdesign-react';
import { api, call } from '../api/client';
import {
  drawCode,
  icpQuery,
  interfacesQuery,
  pagesQuery,
  searchQuery,
  testersQuery,
  visitQuery,
} from '../api/operations';
import { asProblem, fieldErrors, type Problem } from '../api/problem';
import type { AuthorizerDetail, IcpFiling, PrivacyInterface, Tester } from '../api/types';
import { Button } from '../components/Button';
import { Combo } from '../components/Combo';
import { useConfirm } from '../components/Confirm';
import { type Column, DataTable } from '../components/DataList';
import { Field } from '../components/Field';
import { Granted, Withdrawn } from '../components/Granted';
import { Panel } from '../components/PageHead';
import { ProblemPanel } from '../components/ProblemPanel';
import { EmptyNote, QueryView } from '../components/QueryView';
import { Segmented } from '../components/Segmented';
import { SidePanel } from '../components/SidePanel';
import { ToneTag } from '../components/StateTag';
import { useCan } from '../components/session';
import { TextArea } from '../components/TextArea';
import { Time } from '../components/Time';
import { toast } from '../components/toast';
import { codeTrouble, icpTone, icpWord, interfaceTones, interfaceWord } from '../logic/operations';
import { splitList } from '../logic/text';
import { MerchantAdminChange } from './MerchantAdminChange';
import { MerchantLibrary } from './MerchantLibrary';
import { MerchantRename } from './MerchantRename';

interface Props {
  merchant: AuthorizerDetail;
}

function BindForm({ appid }: { appid: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [id, setId] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const byField = problem ? fieldErrors(problem, ['wechatid']) : {};

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || id.trim() === '') return;
    setBusy(true);
    setProblem(null);
    try {
      const tester = await call(
        api.POST('/authorizers/{appid}/testers', { params: { path: { appid } }, body: { wechatid: id.trim() } }),
      );
      // What was typed meanwhile is the next one.
      setId((now) => (now === id ? '' : now));
      await client.invalidateQueries({ queryKey: testersQuery(appid).queryKey });
      toast.success(t(tester.userstr ? 'ops.bound' : 'ops.boundUnknown'));
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)}>
      <Field name="wechatid" label={t('ops.wechatid')} hint={t('ops.wechatidHint')} error={byField.wechatid}>
        <span className="inline">
          <Input value={id} onChange={setId} placeholder="" autocomplete="off" maxlength={64} />
          <Button type="submit" loading={busy} disabled={id.trim() === ''} data-testid="bind-tester">
            {t('ops.bind')}
          </Button>
        </span>
      </Field>
      {problem && problem.errors.length === 0 && <ProblemPanel compact error={problem} />}
    </form>
  );
}

function Testers({ merchant }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const { appid } = merchant;
  const query = useQuery(testersQuery(appid));

  const columns: Column<Tester>[] = [
    {
      key: 'who',
      title: t('ops.wechatid'),
      card: 'head',
      render: (one) => (
        <span className="tester">
          {one.wechatid ? <b>{one.wechatid}</b> : <span className="faint">{t('ops.unknownTester')}</span>}
          <code title={one.userstr}>{one.userstr}</code>
        </span>
      ),
    },
    { key: 'by', title: t('ops.boundBy'), render: (one) => one.bound_by || <span className="none">—</span> },
    { key: 'at', title: t('ops.boundAt'), render: (one) => <Time value={one.bound_at} /> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (one) =>
        may && one.userstr ? (
          <Button
            size="small"
            variant="outline"
            theme="danger"
            data-testid={`unbind-${one.wechatid || one.userstr}`}
            onClick={() =>
              confirm({
                title: t('ops.unbindConfirm', { name: one.wechatid || one.userstr }),
                hint: t('ops.unbindHint'),
                ok: t('ops.unbind'),
                danger: true,
                run: async () => {
                  await call(
                    api.DELETE('/authorizers/{appid}/testers/{userstr}', {
                      params: { path: { appid, userstr: one.userstr } },
                    }),
                  );
                  await client.invalidateQueries({ queryKey: testersQuery(appid).queryKey });
                  toast.success(t('ops.unbound'));
                },
              })
            }
          >
            {t('ops.unbind')}
          </Button>
        ) : null,
    },
  ];
  return (
    <>
      {may && <BindForm appid={appid} />}
      <QueryView query={query} rows={3}>
        {(testers) =>
          testers.length === 0 ? (
            <EmptyNote title={t('ops.testersEmpty')} />
          ) : (
            <DataTable
              columns={columns}
              rows={testers}
              rowKey={(one) => one.wechatid || one.userstr}
              testId="tester"
              label={t('ops.testers')}
            />
          )
        }
      </QueryView>
    </>
  );
}

function Status({ merchant }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const confirm = useConfirm();
  const may = useCan('operator');
  const { appid } = merchant;
  const search = useQuery(searchQuery(appid));
  const visit = useQuery(visitQuery(appid));
  const params = { path: { appid } };

  function askSearch(searchable: boolean) {
    confirm({
      title: t(searchable ? 'ops.showConfirm' : 'ops.hideConfirm'),
      hint: t('ops.searchHint'),
      ok: t(searchable ? 'ops.show' : 'ops.hide'),
      run: async () => {
        const now = await call(api.PUT('/authorizers/{appid}/search-status', { params, body: { searchable } }));
        client.setQueryData(searchQuery(appid).queryKey, now);
        toast.success(t('common.saved'));
      },
    });
  }

  function askVisit(open: boolean) {
    confirm({
      title: t(open ? 'ops.resumeConfirm' : 'ops.suspendConfirm'),
      hint: t(open ? 'ops.resumeHint' : 'ops.suspendHint'),
      ok: t(open ? 'ops.resume' : 'ops.suspend'),
      danger: !open,
      run: async () => {
        const now = await call(api.POST('/authorizers/{appid}/visit-status', { params, body: { open } }));
        client.setQueryData(visitQuery(appid).queryKey, now);
        toast.success(t('common.saved'));
      },
    });
  }

  return (
    <ul className="switches">
      <li>
        <b>{t('ops.search')}</b>
        <QueryView query={search} rows={1}>
          {({ searchable }) => (
            <>
              <ToneTag
                tone={searchable ? 'good' : 'ended'}
                text={t(searchable ? 'ops.searchable' : 'ops.hidden')}
                testId={searchable ? 'search-on' : 'search-off'}
              />
              {may && (
                <Button
                  size="small"
                  variant="outline"
                  theme="default"
                  onClick={() => askSearch(!searchable)}
                  data-testid="toggle-search"
                >
                  {t(searchable ? 'ops.hide' : 'ops.show')}
                </Button>
              )}
            </>
          )}
        </QueryView>
      </li>
      <li>
        <b>{t('ops.visit')}</b>
        <QueryView query={visit} rows={1}>
          {({ open }) => (
            <>
              <ToneTag
                tone={open ? 'good' : 'bad'}
                text={t(open ? 'ops.serving' : 'ops.suspended')}
                testId={open ? 'visit-on' : 'visit-off'}
              />
              {may && (
                <Button
                  size="small"
                  variant="outline"
                  theme={open ? 'danger' : 'default'}
                  onClick={() => askVisit(!open)}
                  data-testid="toggle-visit"
                >
                  {t(open ? 'ops.suspend' : 'ops.resume')}
                </Button>
              )}
            </>
          )}
        </QueryView>
      </li>
    </ul>
  );
}

function CodeForm({ appid, released }: { appid: string; released: boolean }) {
  const { t } = useTranslation();
  const pages = useQuery(pagesQuery(appid));
  const [path, setPath] = useState('');
  const [scene, setScene] = useState('');
  const [width, setWidth] = useState('');
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [image, setImage] = useState<Blob | null>(null);
  const [url, setUrl] = useState('');
  const wrong = codeTrouble(released, path, scene.trim(), width.trim());
  const told = (field: string) => {
    const here = wrong === 'query' ? 'path' : wrong;
    return wrong && here === field && (tried || wrong !== 'path') ? t(`ops.codeTrouble.${wrong}`) : undefined;
  };

  useEffect(() => {
    if (!image) return;
    const made = URL.createObjectURL(image);
    setUrl(made);
    return () => {
      setUrl('');
      URL.revokeObjectURL(made);
    };
  }, [image]);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (busy || wrong) return;
    setBusy(true);
    setError(null);
    try {
      const version = released ? 'released' : 'trial';
      const more = released ? [scene.trim(), width.trim()] : ['', ''];
      setImage(await drawCode(appid, { version, path, scene: more[0] ?? '', width: more[1] ?? '' }));
    } catch (thrown) {
      setImage(null);
      setError(thrown);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)}>
      <Field name="code-path" group label={t('ops.path')} hint={t('ops.pathHint')} error={told('path')}>
        <Combo
          name="code-path"
          value={path}
          text={path}
          options={(pages.data ?? []).map((page) => ({ value: page, title: page }))}
          onPick={setPath}
          free={(typed) => typed || undefined}
          keep
          label={t('ops.path')}
          placeholder={t('ops.pathPlaceholder')}
        />
      </Field>
      {released && (
        <div className="form__row">
          <Field name="code-scene" label={t('ops.scene')} hint={t('ops.sceneHint')} error={told('scene')}>
            <Input value={scene} onChange={setScene} placeholder="" />
          </Field>
          <Field name="code-width" label={t('ops.width')} error={told('width')}>
            <Input value={width} onChange={setWidth} placeholder="430" />
          </Field>
        </div>
      )}
      {error !== null && <ProblemPanel compact error={error} />}
      <div>
        <Button type="submit" variant="outline" loading={busy} data-testid="draw-code">
          {t('ops.draw')}
        </Button>
      </div>
      {url && (
        <div className="qr qr--small">
          <img src={url} alt={t('ops.codeAlt')} data-testid="drawn-code" />
          <a
            className="t-button t-button--variant-outline t-button--theme-default t-size-s"
            href={url}
            download={`${appid}.${image?.type === 'image/png' ? 'png' : 'jpg'}`}
          >
            <span className="t-button__text">{t('ops.download')}</span>
          </a>
        </div>
      )}
    </form>
  );
}

function Codes({ merchant }: Props) {
  const { t } = useTranslation();
  const [version, setVersion] = useState<'trial' | 'released'>('trial');
  const released = version === 'released';
  return (
    <Panel title={t('ops.codes')} hint={t('ops.codesHint')} testId="ops-codes">
      <Segmented
        name="code-version"
        label={t('ops.version')}
        value={version}
        onChange={setVersion}
        options={[
          { value: 'trial', label: t('ops.trial') },
          { value: 'released', label: t('ops.released') },
        ]}
      />
      <Granted merchant={merchant} operation={released ? 'releasedCode' : 'trialCode'}>
        <CodeForm key={version} appid={merchant.appid} released={released} />
      </Granted>
    </Panel>
  );
}

const smsWords = { 1: 'waiting', 2: 'done', 3: 'timedOut' } as const;

function Filing({ icp }: { icp: IcpFiling }) {
  const { t } = useTranslation();
  const sms = icp.status === 4 ? smsWords[icp.sms_verify_status as 1] : undefined;
  const faults = icp.faults ?? [];
  return (
    <>
      <p className="tickethealth">
        <ToneTag
          tone={icpTone(icp.status)}
          text={t(`ops.icpStatus.${icpWord(icp.status)}`, { n: icp.status })}
          testId={`icp-${icpWord(icp.status)}`}
        />
        {sms && <span className="muted">{t(`ops.icpSms.${sms}`)}</span>}
        {icp.canceling && <span className="note--bad">{t('ops.icpCanceling')}</span>}
        {!icp.filed && icp.available && <span className="muted">{t('ops.icpAvailable')}</span>}
      </p>
      {faults.length > 0 && (
        <section>
          <h3>{t('ops.icpFaults')}</h3>
          <ul className="faults">
            {faults.map((fault) => (
              <li key={`${fault.key} ${fault.error}`}>
                <b>{fault.error}</b>
                {fault.suggest && <small>{fault.suggest}</small>}
                <code>{fault.key}</code>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Icp({ merchant }: Props) {
  const query = useQuery(icpQuery(merchant.appid));
  return (
    <QueryView query={query} rows={1}>
      {(icp) => <Filing icp={icp} />}
    </QueryView>
  );
}

const longestContent = 300;

function ApplyForm({ appid, name, onDone }: { appid: string; name: string; onDone: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [content, setContent] = useState('');
  const [urls, setUrls] = useState('');
  const [pics, setPics] = useState('');
  const [videos, setVideos] = useState('');
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const lists = { url_list: splitList(urls), pic_list: splitList(pics), video_list: splitList(videos) };
  const length = [...content.trim()].length;
  const wrong: Record<string, string | undefined> = {
    content: length === 0 || length > longestContent ? t('ops.contentWrong') : undefined,
    url_list: Object.values(lists).every((list) => list.length === 0) ? t('ops.materialMissing') : undefined,
    pic_list: lists.pic_list.length > 10 ? t('ops.tooManyPics') : undefined,
    video_list: lists.video_list.length > 1 ? t('ops.tooManyVideos') : undefined,
  };
  const byField = problem ? fieldErrors(problem, ['content', 'url_list', 'pic_list', 'video_list']) : {};
  const told = (field: string) => (tried && wrong[field]) || byField[field];

  async function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (busy || Object.values(wrong).some(Boolean)) return;
    setBusy(true);
    setProblem(null);
    try {
      await call(
        api.POST('/authorizers/{appid}/privacy-interfaces', {
          params: { path: { appid } },
          body: { api_name: name, content: content.trim(), ...lists },
        }),
      );
      await client.invalidateQueries({ queryKey: interfacesQuery(appid).queryKey });
      toast.success(t('ops.submitted'));
      onDone();
    } catch (thrown) {
      setProblem(asProblem(thrown));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={(e) => void submit(e)} data-testid="apply-form">
      <Field name="apply-content" label={t('ops.content')} hint={t('ops.contentHint')} error={told('content')}>
        <TextArea rows={4} value={content} onChange={setContent} />
      </Field>
      <Field name="apply-urls" label={t('ops.urls')} hint={t('ops.linesHint')} error={told('url_list')}>
        <TextArea code rows={2} value={urls} onChange={setUrls} placeholder="https://" />
      </Field>
      <Field name="apply-pics" label={t('ops.pics')} hint={t('ops.picsHint')} error={told('pic_list')}>
        <TextArea code rows={2} value={pics} onChange={setPics} placeholder="https://" />
      </Field>
      <Field name="apply-videos" label={t('ops.videos')} hint={t('ops.videosHint')} error={told('video_list')}>
        <TextArea code rows={1} value={videos} onChange={setVideos} placeholder="https://" />
      </Field>
      {problem && problem.errors.length === 0 && <ProblemPanel error={problem} />}
      <div>
        <Button type="submit" loading={busy} data-testid="apply-interface">
          {t('ops.submit')}
        </Button>
      </div>
    </form>
  );
}

function Interfaces({ merchant }: Props) {
  const { t } = useTranslation();
  const may = useCan('operator');
  const query = useQuery(interfacesQuery(merchant.appid));
  const [chosen, setChosen] = useState<PrivacyInterface | null>(null);
  const columns: Column<PrivacyInterface>[] = [
    {
      key: 'name',
      title: t('ops.privacy'),
      card: 'head',
      render: (p) => (
        <span className="tester">
          <b>{p.chinese_name || p.api_name}</b>
          <code>{p.api_name}</code>
        </span>
      ),
    },
    {
      key: 'state',
      title: t('ops.state'),
      card: 'corner',
      render: (p) => {
        const word = interfaceWord(p.status);
        return (
          <ToneTag
            tone={interfaceTones[word]}
            text={t(`ops.privacyState.${word}`, { n: p.status })}
            testId={`interface-${word}`}
          />
        );
      },
    },
    { key: 'reason', title: t('ops.reason'), render: (p) => p.fail_reason || <span className="none">—</span> },
    {
      key: 'do',
      title: '',
      card: 'foot',
      align: 'end',
      render: (p) => {
        const word = interfaceWord(p.status);
        return may && (word === 'open' || word === 'refused') ? (
          <Button
            size="small"
            variant="outline"
            theme="default"
            onClick={() => setChosen(p)}
            data-testid={`apply-${p.api_name}`}
          >
            {t(word === 'open' ? 'ops.apply' : 'ops.applyAgain')}
          </Button>
        ) : null;
      },
    },
  ];
  return (
    <>
      <QueryView query={query} rows={5}>
        {(list) =>
          list.length === 0 ? (
            <EmptyNote title={t('ops.privacyEmpty')} />
          ) : (
            <DataTable
              columns={columns}
              rows={list}
              rowKey={(p) => p.api_name}
              testId="interface"
              label={t('ops.privacy')}
            />
          )
        }
      </QueryView>
      <SidePanel
        testId="interface-apply"
        title={t('ops.applyTitle', { name: chosen?.chinese_name || chosen?.api_name })}
        open={chosen !== null}
        onClose={() => setChosen(null)}
      >
        {chosen && (
          <ApplyForm
            key={chosen.api_name}
            appid={merchant.appid}
            name={chosen.api_name}
            onDone={() => setChosen(null)}
          />
        )}
      </SidePanel>
    </>
  );
}

/** MerchantOperations is what a provider does for a mini program from day to day. */
export function MerchantOperations({ merchant }: Props) {
  const { t } = useTranslation();
  if (merchant.status !== 'authorized') return <Withdrawn />;
  return (
    <div className="columns" data-testid="operations">
      <div className="stack">
        <Panel title={t('ops.testers')} hint={t('ops.testersHint')} testId="ops-testers">
          <Granted merchant={merchant} operation="testers">
            <Testers merchant={merchant} />
          </Granted>
        </Panel>
        <Panel title={t('ops.privacy')} hint={t('ops.privacyHint')} testId="ops-privacy">
          <Granted merchant={merchant} operation="privacy">
            <Interfaces merchant={merchant} />
          </Granted>
        </Panel>
      </div>
      <div className="stack">
        <Panel title={t('ops.status')} testId="ops-status">
          <Granted merchant={merchant} operation="status">
            <Status merchant={merchant} />
          </Granted>
        </Panel>
        <MerchantRename merchant={merchant} />
        <MerchantAdminChange merchant={merchant} />
        <Codes merchant={merchant} />
        <MerchantLibrary merchant={merchant} />
        <Panel title={t('ops.icp')} hint={t('ops.icpHint')} testId="ops-icp">
          <Granted merchant={merchant} operation="icp">
            <Icp merchant={merchant} />
          </Granted>
        </Panel>
      </div>
    </div>
  );
}
